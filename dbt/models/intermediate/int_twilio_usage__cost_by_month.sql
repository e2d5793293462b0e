{{ config(
    materialized='incremental',
    on_schema_change='append_new_columns',
    pre_hook="{{ twilio_usage.delete_changed(['account_sid', 'month']) }}",
) }}

with days as (
    {{ missing(['account_sid', 'month']) }}
)

select
    costs.account_sid,
    costs.service,
    costs.category,
    costs.price_unit,
    days.month,
    costs.usage_unit,
    costs.billing_kind,
    sum(costs.cost) as cost,
    -- What no category holds is no quantity of anything.
    sum(case when costs.billing_kind = 'total' then null else costs.usage end) as quantity,
    max(days.version) as version
from days
inner join {{ ref('twilio_usage', 'cost_by_day') }} as costs
    on days.account_sid = costs.account_sid and days.start_date = costs.start_date
group by
    costs.account_sid,
    costs.service,
    costs.category,
    costs.price_unit,
    days.month,
    costs.usage_unit,
    costs.billing_kind
