{{ config(materialized='table') }}
{%- set start = "cast('2000-01-01' as " ~ dbt.type_timestamp() ~ ')' %}

-- The one model that reads every loaded row in each build.
with records as (
    select
        account_sid,
        cast(start_date as date) as start_date,
        dedup_role,
        case
            when category is null or service is null or deduplicated_price is null then 1
            when dedup_role in ('total', 'rollup', 'leaf', 'overlap') then 0
            else 1
        end as is_odd,
        nullif(upper(trim(price_unit)), '') as price_unit,
        as_of
    from {{ if_loaded('usage_records_daily', usage_needs_it=true) }}
),

days as (
    select
        account_sid,
        start_date,
        count(*) as records,
        sum(is_odd) as odd_records,
        count(as_of) as reported_records,
        {{ utc('min(as_of)') }} as first_as_of,
        {{ utc('max(as_of)') }} as as_of,
        coalesce(
            max(case when dedup_role = 'total' then price_unit end),
            case when min(price_unit) = max(price_unit) then max(price_unit) end
        ) as price_unit
    from records
    group by account_sid, start_date
)

select
    account_sid,
    start_date,
    records,
    odd_records,
    as_of,
    price_unit,
    cast(
        (
            coalesce({{ dbt.datediff(start, 'first_as_of', 'second') }}, 0)
            + coalesce({{ dbt.datediff(start, 'as_of', 'second') }}, 0)
        ) * 1000 + records + reported_records
        as {{ dbt.type_bigint() }}
    ) as version
from days
