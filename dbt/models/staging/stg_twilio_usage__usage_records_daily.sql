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
        cast(as_of as {{ dbt.type_timestamp() }}) as as_of
    from {{ source('twilio_usage', 'usage_records_daily') }}
),

-- As in the tap: a row without a currency gets that of the total, or the only one of the day.
units as (
    select
        account_sid,
        start_date,
        coalesce(
            max(case when dedup_role = 'total' then named_unit end),
            case when min(named_unit) = max(named_unit) then min(named_unit) end
        ) as unit_of_day
    from records
    group by account_sid, start_date
    having count(*) > count(named_unit)
)

select
    records.account_sid,
    records.start_date,
    records.end_date,
    records.category,
    records.description,
    records.service,
    records.billing_kind,
    records.parent_category,
    records.dedup_role,
    records.count,
    records.count_unit,
    records.usage,
    records.usage_unit,
    records.price,
    records.deduplicated_price,
    coalesce(records.named_unit, units.unit_of_day) as price_unit,
    records.counts_in_total,
    records.includes_subaccounts,
    records.as_of
from records
left join units
    on records.account_sid = units.account_sid
    and records.start_date = units.start_date
