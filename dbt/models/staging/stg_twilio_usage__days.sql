{{ config(materialized='table') }}
{%- set start = "cast('2000-01-01' as " ~ dbt.type_timestamp() ~ ')' %}

-- The one model that reads every loaded row in each build.
with units as (
    select
        account_sid,
        cast(start_date as date) as start_date,
        price_unit,
        max(case when dedup_role = 'total' then 1 else 0 end) as is_of_total,
        count(*) as records,
        sum(
            case
                when category is null or service is null or deduplicated_price is null then 1
                when dedup_role in ('total', 'rollup', 'leaf', 'overlap') then 0
                else 1
            end
        ) as odd_records,
        count(as_of) as reported_records,
        min(as_of) as first_as_of,
        max(as_of) as as_of
    from {{ if_loaded('usage_records_daily', usage_needs_it=true) }}
    group by account_sid, cast(start_date as date), price_unit
),

-- A day has one unit or two, so this is done for few rows.
named as (
    select
        units.*,
        nullif(upper(trim(price_unit)), '') as unit
    from units
),

days as (
    select
        account_sid,
        start_date,
        cast(sum(records) as {{ dbt.type_bigint() }}) as records,
        cast(sum(odd_records) as {{ dbt.type_bigint() }}) as odd_records,
        sum(reported_records) as reported_records,
        {{ utc('min(first_as_of)') }} as first_as_of,
        {{ utc('max(as_of)') }} as as_of,
        coalesce(
            max(case when is_of_total = 1 then unit end),
            case when min(unit) = max(unit) then max(unit) end
        ) as price_unit
    from named
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
