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
    sum(price) filter (where is_total) as total,
    coalesce(sum(deduplicated_price) filter (where not is_total), 0) as attributed,
    sum(deduplicated_price) filter (where is_total) as unattributed,
    count(*) filter (where is_unknown and price <> 0) as unknown_categories,
    coalesce(sum(deduplicated_price) filter (where is_unknown), 0) as unknown_categories_cost
from records
group by account_sid, start_date, price_unit
