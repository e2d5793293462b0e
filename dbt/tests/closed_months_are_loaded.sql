-- A month cannot be closed before its last day is loaded.
select last_day
from (select max(start_date) as last_day from {{ ref('cost_by_day') }}) as days
where {{ first_open_month() }} > {{ day_after('last_day') }}
