{#-
    Return the days because of which a month cannot be closed: each account has to have all of its days,
    read after the month's end, and they are Twilio's total. Accounts that were closed have no later days:
    twilio_usage_ended_accounts names them.
-#}
{% macro days_against_closing() %}
{%- set ended = var('twilio_usage_ended_accounts') %}
with closing as (
    select
        totals.account_sid,
        totals.start_date,
        totals.attributed + coalesce(totals.unattributed, 0) as cost,
        totals.total,
        days.as_of as read_on
    from {{ ref('twilio_usage', 'int_twilio_usage__day_totals') }} as totals
    inner join {{ ref('twilio_usage', 'int_twilio_usage__loaded_days') }} as days
        on totals.account_sid = days.account_sid and totals.start_date = days.start_date
    where totals.start_date < {{ twilio_usage.first_open_month() }}
),

months as (
    select
        account_sid,
        {{ twilio_usage.month_of('start_date') }} as month,
        count(distinct start_date) as days_loaded
    from closing
    group by account_sid, {{ twilio_usage.month_of('start_date') }}
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
    months.month as start_date,
    'a day of the month is not loaded' as problem
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
    'the day does not add up to its total'
from closing
where cost <> total
union all
select
    account_sid,
    start_date,
    'the day was read before it was over'
from closing
where {{ twilio_usage.month_of('start_date') }} <> {{ twilio_usage.month_of(twilio_usage.day_after('start_date')) }}
    and cast(read_on as date) <= start_date
union all
select
    null,
    last_day,
    'no account has a later day'
from (
    select max(start_date) as last_day from {{ ref('twilio_usage', 'int_twilio_usage__loaded_days') }}
) as loaded
where {{ twilio_usage.first_open_month() }} > {{ twilio_usage.day_after('last_day') }}
{% endmacro %}

{#- Stop the model if a closed month is no longer loaded: an adjustment would credit all that it charged. -#}
{% macro refuse_to_credit_what_is_not_loaded() %}
    {%- if execute and flags.WHICH in ['build', 'run'] and is_incremental() -%}
        {%- set lost -%}
            select min(month) as month
            from {{ this }}
            where is_closed and month not in (
                select {{ twilio_usage.month_of('start_date') }} from {{ ref('twilio_usage', 'int_twilio_usage__loaded_days') }}
            )
        {%- endset -%}
        {%- for row in run_query(lost).rows if row[0] -%}
            {{ exceptions.raise_compiler_error(
                "customer_charges: no day of the closed month " ~ (row[0] | string)[:7]
                ~ " is loaded any more, so all that it charged would be credited; load its days again"
            ) }}
        {%- endfor -%}
    {%- endif -%}
{% endmacro %}

{#- Stop the model, also where `dbt run` makes no tests, if a month cannot be closed. -#}
{% macro refuse_to_close_early() %}
    {%- set days = twilio_usage.days_against_closing() -%}
    {%- if execute and flags.WHICH in ['build', 'run'] and var('twilio_usage_closed_through') -%}
        {%- for day in run_query(days).rows[:1] -%}
            {{ exceptions.raise_compiler_error(
                "twilio_usage_closed_through: '" ~ var('twilio_usage_closed_through') ~ "' is too early: "
                ~ day[2] ~ " (" ~ (day[0] or 'all accounts') ~ ", " ~ day[1] ~ "); load the days first"
            ) }}
        {%- endfor -%}
    {%- endif -%}
{% endmacro %}
