-- What services have cost so far is Twilio's total of the month.
select
    account_sid,
    month,
    price_unit,
    sum(actual) as difference
from (
    select account_sid, month, price_unit, actual from {{ ref('twilio_usage', 'forecast_by_month') }}
    union all
    select account_sid, {{ month_of('start_date') }}, price_unit, -total
    from {{ ref('twilio_usage', 'reconciliation') }}
) as entries
group by account_sid, month, price_unit
having sum(actual) <> 0
