-- Each day's costs are Twilio's own total of the day, to the last decimal; a day without one is not.
select *
from {{ ref('reconciliation') }}
where (attributed + unattributed = total) is not true
