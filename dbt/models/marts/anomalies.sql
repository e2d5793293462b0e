{#- A day is unusual if it is this many spreads from what is expected. -#}
{% set limit = 6 %}
{% set minimum = var('twilio_usage_anomaly_minimum') %}
{% set series = 'partition by series_id order by start_date' %}

with loaded as (
    select
        max(first_day_of_all) as first_day,
        max(today) as today
    from {{ ref('twilio_usage', 'int_twilio_usage__loaded_days') }}
),

days as (
    select
        baselines.*,
        loaded.first_day,
        loaded.today,
        coalesce(billing_kind, '') in ('recurring', 'one_time', 'service_fee') as is_fee,
        case when cost <> 0 then 1 else 0 end as has_cost
    from {{ ref('twilio_usage', 'int_twilio_usage__baselines') }} as baselines
    cross join loaded
    where
        not is_to_come
        and start_date >= {{ days_after('loaded.today', -(var('twilio_usage_anomaly_days') + 56)) }}
),

all_categories as (
    select
        account_sid as account,
        price_unit as currency,
        start_date as day,
        sum(amount) as cost_of_all,
        sum(expected) as expected_of_all
    from days
    where start_date >= {{ days_after('today', -var('twilio_usage_anomaly_days')) }}
    group by account_sid, price_unit, start_date
),

baselines as (
    select
        days.*,
        sum(has_cost) over ({{ series }} rows between 56 preceding and 1 preceding) as days_with_cost,
        max(amount) over ({{ series }} rows between 56 preceding and 1 preceding) as largest_of_8_weeks,
        max(amount) over ({{ series }} rows between unbounded preceding and 1 preceding) as largest_before,
        avg(miss) over ({{ series }} rows between 56 preceding and 1 preceding) as usual_miss,
        avg(unit_cost) over ({{ series }} rows between 7 preceding and 1 preceding) as recent_unit_cost,
        sum(amount) over ({{ series }} rows between 7 preceding and 1 preceding) as recent_cost,
        sum(expected) over ({{ series }} rows between 7 preceding and 1 preceding) as recent_expected
    from days
),

signals as (
    select
        baselines.*,
        {{ dbt.datediff('first_day', 'start_date', 'day') }} as days_known,
        all_categories.cost_of_all,
        all_categories.expected_of_all,
        -- A one-time fee may come again after more than eight weeks.
        case when is_fee then largest_before else largest_of_8_weeks end as largest,
        case
            when start_date = first_cost then 'new'
            when is_fee or days_with_cost * 3 <= least(
                {{ dbt.datediff('first_cost', 'start_date', 'day') }}, 56
            ) then 'seldom'
            when spread is null then 'young'
            else 'regular'
        end as pattern
    from baselines
    inner join all_categories
        on account_sid = account and start_date = day and coalesce(price_unit, '') = coalesce(currency, '')
    where start_date >= {{ days_after('today', -var('twilio_usage_anomaly_days')) }}
),

-- What is charged seldom is compared with the largest day before, such as last month's fee.
expectations as (
    select
        signals.*,
        case when pattern = 'seldom' then greatest(largest, 0) else expected end as expectation,
        case
            when pattern = 'new' then {{ minimum }} / {{ limit }}.0
            when pattern = 'seldom' then greatest(largest * 0.5, {{ minimum }}) / {{ limit }}.0
            when pattern = 'young' then (2 * greatest(largest, 0) - expected + {{ minimum }}) / {{ limit }}
            else greatest(1.6 * spread, 1.25 * expected * coalesce(usual_miss, 1), 0.05 * expected)
        end as width,
        unit_cost / nullif(expected_unit_cost, 0) - 1 as change_of_unit_cost,
        recent_unit_cost / nullif(expected_unit_cost, 0) - 1 as recent_change_of_unit_cost
    from signals
),

kinds as (
    select
        expectations.*,
        case
            when pattern = 'new' then
                case
                    when amount >= {{ minimum }} and days_known >= case when is_fee then 35 else 14 end
                        then 'new_category'
                end
            -- Credits, which are less than nothing, have no price.
            when pattern <> 'seldom' and cost > 0 and unit_cost > 0 and expected_unit_cost > 0
                and abs(change_of_unit_cost) >= 0.05
                and abs(unit_cost - expected_unit_cost) > 2 * range_of_unit_cost
                and abs(coalesce(recent_change_of_unit_cost, 0)) < abs(change_of_unit_cost) / 2
                and quantity between expected_quantity / 2 and expected_quantity * 2
                and abs(amount * (1 - expected_unit_cost / nullif(unit_cost, 0))) >= {{ minimum }}
                then 'price_change'
            -- Of a large account with many categories, some day is always unusual: by little of its cost.
            when amount - expectation >= greatest({{ minimum }}, 0.02 * coalesce(expected_of_all, 0))
                and amount - expectation > {{ limit }} * width
                -- A price that rose in the week before was reported then.
                and amount / greatest(coalesce(1 + recent_change_of_unit_cost, 1), 1) - expectation
                > {{ limit }} * width
                and (
                    pattern = 'seldom'
                    or coalesce(quantity >= 1.2 * expected_quantity, true)
                )
                then 'spike'
            when pattern = 'regular'
                and expectation - amount >= {{ minimum }}
                and expectation - amount > {{ limit }} * width
                and amount <= 0.1 * expectation
                and recent_cost >= 0.5 * recent_expected
                and cost_of_all - amount >= 0.5 * (expected_of_all - expectation)
                then 'drop'
        end as kind
    from expectations
)

select
    account_sid,
    service,
    category,
    start_date,
    price_unit,
    cost,
    {{ rounded('expectation') }} as expected,
    -- A cost is below zero only where credits are usual.
    {{ rounded(
        'greatest(expectation - ' ~ limit ~ ' * width, case when expectation >= 0 then 0 else -1e18 end)'
    ) }} as low,
    {{ rounded('expectation + ' ~ limit ~ ' * width') }} as high,
    {{ rounded('(amount - expectation) / nullif(width, 0)', 2) }} as score,
    {{ rounded(
        "amount - case
            when kind = 'price_change' then amount * expected_unit_cost / nullif(unit_cost, 0)
            else expectation
        end"
    ) }} as excess_cost,
    kind
from kinds
where kind is not null
