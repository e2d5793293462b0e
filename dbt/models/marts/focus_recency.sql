{%- set digits -%}
    ({% for digit in range(10) %}{{ 'union all ' if digit }}select {{ digit }} as digit {% endfor %})
{%- endset -%}

with accounts as (
    select
        account_sid,
        min(start_date) as first_day,
        max(start_date) as last_day,
        max(case when is_current then 1 else 0 end) as is_current
    from {{ ref('twilio_usage', 'int_twilio_usage__loaded_days') }}
    group by account_sid
),

span as (
    select
        min(first_day) as first_day,
        max(last_day) as last_day
    from accounts
),

-- Every day from the first to the last, also one that no account has: up to 27 years.
days as (
    select
        {{ days_after('span.first_day', 'numbers.number') }} as day,
        span.last_day
    from (
        select ones.digit + 10 * tens.digit + 100 * hundreds.digit + 1000 * thousands.digit as number
        from {{ digits }} as ones
        cross join {{ digits }} as tens
        cross join {{ digits }} as hundreds
        cross join {{ digits }} as thousands
    ) as numbers
    cross join span
    where {{ days_after('span.first_day', 'numbers.number') }} <= span.last_day
),

-- An account that is no longer loaded lacks no later day.
expected as (
    select
        days.day,
        days.last_day,
        case when loaded.account_sid is null then 0 else 1 end as is_loaded,
        loaded.as_of
    from days
    inner join accounts
        on days.day >= accounts.first_day
        and (accounts.is_current = 1 or days.day <= accounts.last_day)
    left join {{ ref('twilio_usage', 'int_twilio_usage__loaded_days') }} as loaded
        on accounts.account_sid = loaded.account_sid and days.day = loaded.start_date
),

payers as (
    select min({{ focus('BillingAccountId') }}) as account_sid
    from {{ ref('twilio_usage', 'focus_cost_and_usage_allocated') }}
),

first_accounts as (
    select min(account_sid) as account_sid from accounts
),

newest as (
    select max(as_of) as as_of from {{ ref('twilio_usage', 'int_twilio_usage__loaded_days') }}
),

-- The dataset is that of the first main account, as in the manifest of delivered files.
instances as (
    select
        {{ guid("'CostAndUsage ' || coalesce(payers.account_sid, first_accounts.account_sid)") }}
            as instance_id,
        newest.as_of
    from payers
    cross join first_accounts
    cross join newest
)

select
    max(instances.instance_id) as {{ focus('DatasetInstanceId') }},
    {{ midnight('expected.day') }} as {{ focus('TimeSectorStart') }},
    {{ midnight(day_after('expected.day')) }} as {{ focus('TimeSectorEnd') }},
    min(expected.is_loaded) = 1
        and expected.day < {{ days_after('max(expected.last_day)', -var('twilio_usage_lookback_days')) }}
        as {{ focus('TimeSectorComplete') }},
    -- A day that nobody loaded was last looked for when the newest records were read.
    coalesce(max(expected.as_of), max(instances.as_of))
        as {{ focus('TimeSectorLastUpdated') }}
from expected
cross join instances
group by expected.day
