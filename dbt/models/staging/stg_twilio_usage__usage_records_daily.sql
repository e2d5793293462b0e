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
        cast(counts_in_total as {{ dbt.type_boolean() }}) as counts_in_total,
        cast(includes_subaccounts as {{ dbt.type_boolean() }}) as includes_subaccounts,
        {{ utc('as_of') }} as as_of
    from {{ if_loaded('usage_records_daily', usage_needs_it=true) }}
),

units as (
    select
        records.*,
        max(case when dedup_role = 'total' then named_unit end)
            over (partition by account_sid, start_date) as unit_of_total,
        min(named_unit) over (partition by account_sid, start_date) as first_unit,
        max(named_unit) over (partition by account_sid, start_date) as last_unit
    from records
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
        unit_of_total,
        case when first_unit = last_unit then first_unit end
    ) as price_unit,
    counts_in_total,
    includes_subaccounts,
    as_of
from units
