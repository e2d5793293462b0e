with records as (
    select
        account_sid,
        cast(start_date as date) as start_date,
        cast(end_date as date) as end_date,
        category,
        description,
        service,
        billing_kind,
        parent_category,
        dedup_role,
        {{ exact('count') }} as count,
        count_unit,
        {{ exact('usage') }} as usage,
        usage_unit,
        {{ exact('price') }} as price,
        {{ exact('deduplicated_price') }} as deduplicated_price,
        nullif(upper(trim(price_unit)), '') as named_unit,
        counts_in_total,
        includes_subaccounts,
        cast(as_of as timestamp) as as_of
    from {{ source('twilio_usage', 'usage_records_daily') }}
)

select
    account_sid,
    start_date,
    end_date,
    category,
    description,
    service,
    billing_kind,
    parent_category,
    dedup_role,
    count,
    count_unit,
    usage,
    usage_unit,
    price,
    deduplicated_price,
    -- As in the tap: a row without a currency gets that of the total, or the only one of the day.
    coalesce(
        named_unit,
        max(named_unit) filter (where dedup_role = 'total') over account_day,
        case
            when min(named_unit) over account_day = max(named_unit) over account_day
                then min(named_unit) over account_day
        end
    ) as price_unit,
    counts_in_total,
    includes_subaccounts,
    as_of
from records
window account_day as (partition by account_sid, start_date)
