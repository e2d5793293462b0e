{{ config(materialized='table') }}

{#- What is still to come in the open month and in the eleven after it. -#}
{%- set days_of_last_month = '(' ~ dbt.datediff('last_month', 'open_month', 'day') ~ ')' %}
{%- set is_last_day = '(' ~ month_of(day_after('today')) ~ ' > open_month)' %}

with accounts as (
    select distinct
        account_sid,
        today,
        {{ month_of('today') }} as open_month
    from {{ ref('twilio_usage', 'int_twilio_usage__loaded_days') }}
    where is_current
),

todays as (
    select distinct today, open_month from accounts
),

digits as (
    {%- for n in range(10) %}
    select {{ n }} as n {{ 'union all' if not loop.last }}
    {%- endfor %}
),

calendar as (
    select
        today,
        open_month,
        {{ days_after('today', 'n') }} as start_date
    from (
        select
            todays.today,
            todays.open_month,
            hundreds.n * 100 + tens.n * 10 + units.n as n
        from todays
        cross join digits as hundreds
        cross join digits as tens
        cross join digits as units
        where hundreds.n < 4
    ) as days
),

-- How often each day of the week is still to come in each month.
weekdays as (
    select
        today,
        {{ month_of('start_date') }} as month,
        {{ weekday_of('start_date') }} as weekday,
        count(*) as days
    from calendar
    where start_date < {{ months_after('open_month', 12) }}
    group by today, {{ month_of('start_date') }}, {{ weekday_of('start_date') }}
),

-- The weeks and the months that the forecast looks at.
baselines as (
    select
        baselines.series_id,
        baselines.start_date,
        baselines.is_to_come,
        baselines.weekday,
        baselines.billing_kind,
        baselines.first_cost,
        baselines.cost,
        baselines.weeks,
        baselines.expected,
        accounts.today,
        accounts.open_month,
        {{ months_after('accounts.open_month', -1) }} as last_month
    from {{ ref('twilio_usage', 'int_twilio_usage__baselines') }} as baselines
    inner join accounts on baselines.account_sid = accounts.account_sid
    where
        baselines.start_date >= {{ days_after('accounts.today', -56) }}
        or baselines.start_date >= {{ months_after('accounts.open_month', -1) }}
),

series as (
    select
        series_id,
        today,
        open_month,
        max(billing_kind) in ('recurring', 'one_time', 'service_fee') as is_fee,
        min({{ dbt.datediff('first_cost', 'today', 'day') }}) as days_of_use,
        sum(
            case when cost <> 0 and start_date >= {{ days_after('today', -56) }} then 1 else 0 end
        ) as days_with_cost,
        max(case when is_to_come then weeks else 0 end) as weeks,
        sum(case when is_to_come then expected else 0 end) as week,
        sum(case when start_date >= open_month then cost else 0 end) as actual,
        -- The last day of a month stands for those that the other month has more: a fee of its end is
        -- one of the end, and what the days after the 28th of March have cost was the 28th of February.
        sum(
            case
                when start_date >= open_month and {{ day_of_month('start_date') }} >= {{ days_of_last_month }}
                    then -cost
                when start_date >= last_month and start_date < open_month and (
                    {{ day_of_month('start_date') }} = least({{ day_of_month('today') }}, {{ days_of_last_month }})
                    or ({{ day_of_month('start_date') }} > {{ day_of_month('today') }} and {{ is_last_day }})
                ) then cost
                else 0
            end
        ) as fees_of_day,
        sum(
            case
                when start_date >= last_month and start_date < open_month
                    and {{ day_of_month('start_date') }} > {{ day_of_month('today') }} and not {{ is_last_day }}
                    then cost
                else 0
            end
        ) as fees_later,
        max(case when start_date = today then expected else 0 end) as expected_today
    from baselines
    group by series_id, today, open_month
),

-- What the day that is not over has cost so far.
begun as (
    select
        costs.account_sid,
        costs.service,
        costs.category,
        costs.price_unit,
        sum(costs.cost) as cost
    from {{ ref('twilio_usage', 'cost_by_day') }} as costs
    inner join accounts
        on costs.account_sid = accounts.account_sid and costs.start_date = accounts.today
    group by costs.account_sid, costs.service, costs.category, costs.price_unit
),

-- Of the day that is not over, the rest is to come, and nothing if it has cost more than expected.
of_today as (
    select
        kinds.account_sid,
        kinds.service,
        kinds.category,
        kinds.price_unit,
        series.*,
        coalesce(begun.cost, 0) as begun,
        -- Fees, and what is charged as seldom as a fee: their weekday means nothing.
        coalesce(is_fee, false) or (days_with_cost <= 4 and days_with_cost * 3 <= days_of_use)
            as is_monthly,
        greatest(fees_of_day - coalesce(begun.cost, 0), 0) as fees_today,
        least(
            greatest({{ double('coalesce(begun.cost, 0)') }}, 0), greatest(expected_today, 0)
        ) as counted_today
    from series
    inner join {{ ref('twilio_usage', 'int_twilio_usage__series') }} as kinds
        on series.series_id = kinds.series_id
    left join begun
        on kinds.account_sid = begun.account_sid
        and kinds.service = begun.service
        and kinds.category = begun.category
        and coalesce(kinds.price_unit, '') = coalesce(begun.price_unit, '')
),

usage_to_come as (
    select
        baselines.series_id,
        weekdays.month,
        sum(baselines.expected * weekdays.days) as to_come
    from baselines
    inner join weekdays
        on baselines.today = weekdays.today and baselines.weekday = weekdays.weekday
    where baselines.is_to_come
    group by baselines.series_id, weekdays.month
)

select
    of_today.account_sid,
    of_today.service,
    of_today.category,
    of_today.price_unit,
    months.month,
    of_today.today,
    of_today.is_monthly,
    of_today.weeks,
    case when is_monthly then 0 else week end as week,
    {{ rounded(
        "case
            when is_monthly and months.month > open_month then actual + begun + fees_today + fees_later
            when is_monthly then fees_today + fees_later
            when months.month > open_month then to_come
            else to_come - counted_today
        end"
    ) }} as to_come
from of_today
inner join usage_to_come as months on of_today.series_id = months.series_id
