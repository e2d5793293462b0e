{{ config(
    materialized='incremental',
    on_schema_change='append_new_columns',
    pre_hook="{{ twilio_usage.delete_changed(['start_date']) }}",
) }}

with days as (
    {{ missing(['start_date']) }}
)

select
    costs.start_date,
    costs.service,
    costs.price_unit,
    sum(costs.cost) as cost,
    max(days.version) as version
from days
inner join {{ ref('twilio_usage', 'cost_by_day') }} as costs
    on days.account_sid = costs.account_sid and days.start_date = costs.start_date
group by costs.start_date, costs.service, costs.price_unit
