{{ config(materialized='table') }}

with records as (
    select
        records.*,
        records.dedup_role = 'total' as is_total,
        not coalesce(categories.is_known, false) as is_unknown
    from {{ ref('stg_twilio_usage__usage_records_daily') }} as records
    left join {{ ref('stg_twilio_usage__categories') }} as categories
        on records.category = categories.category
)

select
    account_sid,
    start_date,
    price_unit,
    sum(case when is_total then price end) as total,
    coalesce(sum(case when not is_total then deduplicated_price end), 0) as attributed,
    sum(case when is_total then deduplicated_price end) as unattributed,
    count(case when is_unknown and price <> 0 then 1 end) as unknown_categories,
    coalesce(sum(case when is_unknown then deduplicated_price end), 0) as unknown_categories_cost
from records
group by account_sid, start_date, price_unit
