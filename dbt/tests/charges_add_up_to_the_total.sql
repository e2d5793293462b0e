-- Each month's costs are Twilio's total, to the last decimal. Closed months keep the costs that they had,
-- so they are compared as one, together with the month after them, which has the adjustments.
with entries as (
    select month, price_unit, cost
    from {{ ref('twilio_usage', 'customer_charges') }}
    union all
    select {{ month_of('start_date') }}, price_unit, -total
    from {{ ref('twilio_usage', 'reconciliation') }}
),

closed as (
    select
        coalesce(
            cast({{ dbt.dateadd('month', 1, 'max(month)') }} as date), cast('1000-01-01' as date)
        ) as month_after
    from {{ ref('twilio_usage', 'customer_charges') }}
    where is_closed
),

months as (
    select
        greatest(entries.month, closed.month_after) as month,
        entries.price_unit,
        entries.cost
    from entries
    cross join closed
)

select
    month,
    price_unit,
    sum(cost) as difference
from months
group by month, price_unit
having sum(cost) <> 0
