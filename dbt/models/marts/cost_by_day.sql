{{ config(
    materialized='incremental',
    on_schema_change='append_new_columns',
    indexes=[{'columns': ['start_date', 'account_sid']}] if target.type == 'postgres' else [],
    pre_hook="{{ twilio_usage.delete_changed(['account_sid', 'start_date'], same=['friendly_name']) }}",
) }}

with days as (
    {{ missing(['account_sid', 'start_date']) }}
)

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
    records.as_of,
    days.version
from days
inner join {{ ref('twilio_usage', 'stg_twilio_usage__usage_records_daily') }} as records
    on days.account_sid = records.account_sid and days.start_date = records.start_date
left join {{ ref('twilio_usage', 'stg_twilio_usage__accounts') }} as accounts
    on records.account_sid = accounts.account_sid
