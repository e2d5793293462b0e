{{ config(materialized='table') }}

{#- The days of anomalies, and the eight weeks before them, twice: for a baseline, and for how far
    days are from theirs. -#}
{% set days = [var('twilio_usage_anomaly_days') + 112, 202] | max %}
{% set weeks %}over (
        partition by series_id, weekday order by start_date rows between 8 preceding and 1 preceding
    ){% endset %}

with accounts as (
    select distinct
        account_sid,
        first_day_of_all,
        today
    from {{ ref('twilio_usage', 'int_twilio_usage__loaded_days') }}
),

-- The finished days, and the next seven.
days as (
    select
        account_sid,
        start_date,
        false as is_to_come
    from {{ ref('twilio_usage', 'int_twilio_usage__loaded_days') }}
    where start_date < today and start_date >= {{ days_after('today', -days) }}
    union all
    select
        accounts.account_sid,
        {{ days_after('accounts.today', 'next_days.n') }},
        true
    from accounts
    cross join (
        {%- for n in range(7) %}
        select {{ n }} as n {{ 'union all' if not loop.last }}
        {%- endfor %}
    ) as next_days
),

costs as (
    select
        series.series_id,
        costs.start_date,
        costs.billing_kind,
        costs.cost,
        {{ double('costs.cost') }} as amount,
        {{ double('costs.usage') }} as quantity,
        {{ double('costs.price') }} / nullif({{ double('costs.usage') }}, 0) as unit_cost
    from {{ ref('twilio_usage', 'cost_by_day') }} as costs
    inner join accounts
        on costs.account_sid = accounts.account_sid
        and costs.start_date < accounts.today
        and costs.start_date >= {{ days_after('accounts.today', -days) }}
    inner join {{ ref('twilio_usage', 'int_twilio_usage__series') }} as series
        on costs.account_sid = series.account_sid
        and costs.service = series.service
        and costs.category = series.category
        and coalesce(costs.price_unit, '') = coalesce(series.price_unit, '')
),

series as (
    select
        kinds.series_id,
        kinds.account_sid,
        kinds.service,
        kinds.category,
        kinds.price_unit,
        found.billing_kind,
        found.first_cost
    from {{ ref('twilio_usage', 'int_twilio_usage__series') }} as kinds
    inner join (
        select
            series_id,
            max(billing_kind) as billing_kind,
            min(case when cost <> 0 then start_date end) as first_cost
        from costs
        group by series_id
    ) as found on kinds.series_id = found.series_id
    where found.first_cost is not null
),

-- A category has no row on days before its first use; these days cost nothing.
complete as (
    select
        series.series_id,
        series.first_cost,
        days.start_date,
        days.is_to_come,
        {{ weekday_of('days.start_date') }} as weekday,
        case when days.is_to_come then null else coalesce(costs.cost, 0) end as cost,
        case when days.is_to_come then null else coalesce(costs.amount, 0) end as amount,
        costs.quantity,
        costs.unit_cost
    from series
    inner join days on series.account_sid = days.account_sid
    left join costs on series.series_id = costs.series_id and days.start_date = costs.start_date
),

-- The values that frames of rows read, each several times, are calculated once.
used as (
    select
        complete.*,
        case when start_date >= first_cost then amount end as value,
        case when start_date >= first_cost then amount * amount end as square,
        row_number() over (partition by series_id order by start_date) - 1 as days_before,
        avg(case when start_date >= first_cost then amount end) over (
            partition by series_id order by start_date rows between unbounded preceding and 1 preceding
        ) as mean_before
    from complete
),

weekdays as (
    select
        used.*,
        count(value) {{ weeks }} as weeks,
        sum(value) {{ weeks }} as total,
        sum(square) {{ weeks }} as total_of_squares,
        min(value) {{ weeks }} as smallest,
        max(value) {{ weeks }} as largest,
        count(quantity) {{ weeks }} as quantities,
        sum(quantity) {{ weeks }} as total_quantity,
        min(quantity) {{ weeks }} as smallest_quantity,
        max(quantity) {{ weeks }} as largest_quantity,
        count(unit_cost) {{ weeks }} as unit_costs,
        sum(unit_cost) {{ weeks }} as total_unit_cost,
        min(unit_cost) {{ weeks }} as smallest_unit_cost,
        max(unit_cost) {{ weeks }} as largest_unit_cost
    from used
),

expectations as (
    select
        weekdays.*,
        coalesce({{ trimmed_mean('total', 'smallest', 'largest', 'weeks') }}, mean_before, 0) as expected
    from weekdays
)

select
    expectations.series_id,
    series.account_sid,
    series.service,
    series.category,
    series.price_unit,
    series.billing_kind,
    series.first_cost,
    start_date,
    is_to_come,
    weekday,
    cost,
    amount,
    quantity,
    unit_cost,
    days_before,
    weeks,
    expected,
    -- How far the day is from what was expected, in parts of it. One burst does not hide the next.
    case
        when start_date > series.first_cost and expected > 0
            then least(abs(amount - expected) / expected, 1)
    end as miss,
    case
        when weeks >= 5 then sqrt(greatest(
            (total_of_squares - smallest * smallest - largest * largest) / (weeks - 2)
            - power((total - smallest - largest) / (weeks - 2), 2), 0
        ))
    end as spread,
    {{ trimmed_mean('total_quantity', 'smallest_quantity', 'largest_quantity', 'quantities') }}
        as expected_quantity,
    {{ trimmed_mean('total_unit_cost', 'smallest_unit_cost', 'largest_unit_cost', 'unit_costs') }}
        as expected_unit_cost,
    largest_unit_cost - smallest_unit_cost as range_of_unit_cost
from expectations
inner join series on expectations.series_id = series.series_id
