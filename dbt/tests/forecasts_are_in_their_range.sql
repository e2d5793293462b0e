-- A forecast lies in its range, and a month that is over is what it has cost.
select account_sid, service, month
from {{ ref('twilio_usage', 'forecast_by_month') }}
where low > forecast or forecast > high or (method = 'actual' and (low <> actual or high <> actual))
