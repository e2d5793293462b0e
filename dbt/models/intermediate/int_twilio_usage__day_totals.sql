{{ config(
    materialized='incremental',
    on_schema_change='append_new_columns',
    pre_hook="{{ twilio_usage.delete_changed(['account_sid', 'start_date'], ['stg_twilio_usage__categories']) }}",
) }}

with days as (
    {{ missing(['account_sid', 'start_date'], ['stg_twilio_usage__categories']) }}
),

records as (
    select
        costs.account_sid,
        costs.start_date,
        costs.category,
        costs.price_unit,
        costs.cost,
        costs.price,
        days.version,
        coalesce(costs.billing_kind, '') = 'total' as is_total,
        not coalesce(categories.is_known, false) as is_unknown
    from days
    inner join {{ ref('twilio_usage', 'cost_by_day') }} as costs
        on days.account_sid = costs.account_sid and days.start_date = costs.start_date
    left join {{ ref('twilio_usage', 'stg_twilio_usage__categories') }} as categories
        on costs.category = categories.category
)

select
    account_sid,
    start_date,
    price_unit,
    sum(case when is_total then price end) as total,
    coalesce(sum(case when not is_total then cost end), 0) as attributed,
    sum(case when is_total then cost end) as unattributed,
    count(case when is_unknown and price <> 0 then 1 end) as unknown_categories,
    coalesce(sum(case when is_unknown then cost end), 0) as unknown_categories_cost,
    count(*) as records,
    count(distinct category) as categories,
    max(version) as version
from records
group by account_sid, start_date, price_unit
