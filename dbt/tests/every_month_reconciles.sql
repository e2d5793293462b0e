-- Months that differ although every day is loaded. A warning only: Twilio may have charged something to
-- the month that it reports for none of its days, or restated days that the lookback no longer reads.
{{ config(severity='warn') }}
select *
from {{ ref('twilio_usage', 'reconciliation_by_month') }}
where status in ('month_missing', 'different')
