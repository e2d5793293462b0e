select
    start_date,
    price_unit,
    sum(cost) as difference
from (
    select start_date, price_unit, cost from {{ ref('twilio_usage', 'cost_by_day_and_service') }}
    union all
    select start_date, price_unit, -total from {{ ref('twilio_usage', 'reconciliation') }}
) as entries
group by start_date, price_unit
having sum(cost) <> 0
