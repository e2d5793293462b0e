{{ config(
    materialized='incremental',
    unique_key=['account_sid', 'start_date', 'category'],
    on_schema_change='fail',
) }}

select
    records.account_sid,
    accounts.friendly_name,
    records.start_date,
    records.service,
    records.category,
    records.price_unit,
    records.deduplicated_price as cost,
    records.price,
    records.usage,
    records.usage_unit,
    records.count,
    records.billing_kind,
    records.as_of
from {{ ref('stg_twilio_usage__usage_records_daily') }} as records
left join {{ ref('stg_twilio_usage__accounts') }} as accounts
    on records.account_sid = accounts.account_sid
{%- if is_incremental() %}
-- Only what was read since the last build, and what is of an account with another name.
left join {{ this }} as built
    on records.account_sid = built.account_sid
    and records.start_date = built.start_date
    and records.category = built.category
where built.account_sid is null
    or {{ twilio_usage.differs('records.as_of', 'built.as_of') }}
    or {{ twilio_usage.differs('accounts.friendly_name', 'built.friendly_name') }}
{%- endif %}
