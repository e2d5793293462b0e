-- A month can be closed once every account has all of its days, read after its end, and they are
-- Twilio's total. Accounts that were closed have no later days: twilio_usage_ended_accounts names them.
{%- set ended = var('twilio_usage_ended_accounts') %}

with closing as (
    select
        account_sid,
        start_date,
        price_unit,
        sum(cost) as cost,
        sum(case when billing_kind = 'total' then price end) as total,
        max(as_of) as read_on
    from {{ ref('cost_by_day') }}
    where start_date < {{ first_open_month() }}
    group by account_sid, start_date, price_unit
),

months as (
    select
        account_sid,
        {{ month_of('start_date') }} as month,
        count(distinct start_date) as days_loaded
    from closing
    group by account_sid, {{ month_of('start_date') }}
),

accounts as (
    select
        account_sid,
        min(start_date) as first_day
    from closing
    group by account_sid
)

select
    months.account_sid,
    months.month,
    'a day is not loaded' as reason
from months
inner join accounts on months.account_sid = accounts.account_sid
where months.days_loaded < {{ dbt.datediff(
        'greatest(accounts.first_day, months.month)', dbt.dateadd('month', 1, 'months.month'), 'day'
    ) }}
    {%- if ended %}
    and months.account_sid not in ('{{ ended | join("', '") }}')
    {%- endif %}
union all
select
    account_sid,
    start_date,
    'a day does not add up to its total'
from closing
where cost <> total
union all
select
    account_sid,
    start_date,
    'the last day was read before it was over'
from closing
where {{ month_of('start_date') }} <> {{ month_of(day_after('start_date')) }}
    and cast(read_on as date) <= start_date
union all
select
    null,
    last_day,
    'no account has the last day'
from (select max(start_date) as last_day from {{ ref('cost_by_day') }}) as loaded
where {{ first_open_month() }} > {{ day_after('last_day') }}
