-- The warehouse has every day that Twilio's months consist of, from the account's first loaded day on.
select *
from {{ ref('reconciliation_by_month') }}
where status = 'days_missing'
