with accounts as (
    select distinct
        account_sid,
        {{ month_of('today') }} as open_month,
        is_current
    from {{ ref('twilio_usage', 'int_twilio_usage__loaded_days') }}
),

entries as (
    select
        account_sid,
        service,
        price_unit,
        month,
        cost as actual,
        {{ exact('null') }} as to_come,
        {{ double('null') }} as usage_to_come,
        {{ double('null') }} as week,
        0 as is_monthly,
        0 as is_weekly,
        0 as weeks
    from {{ ref('twilio_usage', 'int_twilio_usage__cost_by_month') }}
    union all
    select
        forecasts.account_sid,
        forecasts.service,
        forecasts.price_unit,
        forecasts.month,
        0,
        forecasts.to_come,
        case when forecasts.is_monthly then 0 else {{ double('forecasts.to_come') }} end,
        forecasts.week,
        case when forecasts.is_monthly then 1 else 0 end,
        case when forecasts.is_monthly then 0 else 1 end,
        forecasts.weeks
    from {{ ref('twilio_usage', 'int_twilio_usage__forecasts') }} as forecasts
    inner join accounts on forecasts.account_sid = accounts.account_sid
    where forecasts.month <= {{ months_after('accounts.open_month', 2) }}
),

months as (
    select
        entries.account_sid,
        entries.service,
        entries.price_unit,
        entries.month,
        accounts.open_month,
        accounts.is_current,
        {{ dbt.datediff('accounts.open_month', 'entries.month', 'month') }} as months_ahead,
        sum(actual) as actual,
        sum(to_come) as to_come,
        sum(usage_to_come) as usage_to_come,
        sum(week) as week,
        max(is_monthly) as is_monthly,
        max(is_weekly) as is_weekly,
        max(weeks) as weeks
    from entries
    inner join accounts on entries.account_sid = accounts.account_sid
    group by
        entries.account_sid,
        entries.service,
        entries.price_unit,
        entries.month,
        accounts.open_month,
        accounts.is_current
),

misses as (
    select
        account_sid,
        service,
        price_unit,
        count(error_of_4_weeks) as days,
        avg(power(error_of_week, 2)) as of_week,
        avg(power(error_of_4_weeks, 2)) as of_4_weeks
    from (
        select
            account_sid,
            service,
            price_unit,
            start_date,
            sum(error_of_week) as error_of_week,
            sum(error_of_4_weeks) as error_of_4_weeks
        from {{ ref('twilio_usage', 'int_twilio_usage__forecast_errors') }}
        group by account_sid, service, price_unit, start_date
    ) as days
    group by account_sid, service, price_unit
),

ranges as (
    select
        months.*,
        {{ half_range(
            'usage_to_come', 'week', '6', 'months_ahead', 'misses.of_week', 'misses.of_4_weeks'
        ) }} as half_range,
        misses.days
    from months
    left join misses
        on months.account_sid = misses.account_sid
        and months.service = misses.service
        and coalesce(months.price_unit, '') = coalesce(misses.price_unit, '')
)

select
    account_sid,
    service,
    price_unit,
    month,
    actual,
    actual + coalesce(to_come, 0) as forecast,
    {{ low_end('actual', 'actual + coalesce(to_come, 0)', 'half_range') }} as low,
    actual + coalesce(to_come, 0) + {{ rounded('half_range') }} as high,
    case
        when month < open_month then 'actual'
        when not is_current then 'not loaded lately'
        when to_come is null then 'short history'
        when is_weekly = 0 then 'last month'
        when weeks < 3 or days is null or days < 7 then 'short history'
        when is_monthly = 0 then 'weekday means'
        else 'weekday means and last month'
    end as method
from ranges
where actual <> 0 or to_come is not null
