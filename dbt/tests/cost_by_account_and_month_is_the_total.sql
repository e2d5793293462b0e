select
    account_sid,
    month,
    price_unit,
    sum(cost) as difference
from (
    select account_sid, month, price_unit, cost from {{ ref('twilio_usage', 'cost_by_account_and_month') }}
    union all
    select account_sid, {{ month_of('start_date') }}, price_unit, -total
    from {{ ref('twilio_usage', 'reconciliation') }}
) as entries
group by account_sid, month, price_unit
having sum(cost) <> 0
