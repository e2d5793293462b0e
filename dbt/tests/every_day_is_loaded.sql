-- The warehouse has every day that Twilio's months consist of, from the account's first loaded day on.
select *
from {{ ref('twilio_usage', 'reconciliation_by_month') }}
where status = 'days_missing'
