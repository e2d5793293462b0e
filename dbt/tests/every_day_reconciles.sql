-- The costs of each day equal Twilio's own total, to the last decimal. A day without a total fails.
select *
from {{ ref('twilio_usage', 'reconciliation') }}
where attributed + unattributed <> total or unattributed is null or total is null
