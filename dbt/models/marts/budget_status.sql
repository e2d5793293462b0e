with accounts as (
    select distinct
        account_sid,
        today,
        is_current
    from {{ ref('twilio_usage', 'int_twilio_usage__loaded_days') }}
),

members as (
    select * from {{ ref('twilio_usage', 'int_twilio_usage__budget_members') }}
),

-- The current period of a budget is that of the accounts that it covers.
todays as (
    select
        members.budget_id,
        members.currency,
        max(accounts.today) as today
    from members
    inner join accounts on members.account_sid = accounts.account_sid
    group by members.budget_id, members.currency
),

budgets as (
    select
        budgets.*,
        coalesce(todays.today, newest.today) as today,
        {{ period_of('coalesce(todays.today, newest.today)', 'budgets.period') }} as current_period
    from {{ ref('twilio_usage', 'int_twilio_usage__budgets') }} as budgets
    left join todays
        on budgets.budget_id = todays.budget_id and budgets.currency = todays.currency
    cross join (select max(today) as today from accounts) as newest
),

months as (
    select distinct month
    from (
        select {{ month_of('start_date') }} as month from {{ ref('twilio_usage', 'int_twilio_usage__loaded_days') }}
        union all
        select {{ month_of('today') }} from accounts
    ) as days
),

-- A budget is the one of a period if it is valid on its last day.
periods as (
    select
        budgets.*,
        starts.period_start,
        {{ days_after(end_of_period('starts.period_start', 'budgets.period'), -1) }} as period_end
    from budgets
    inner join (
        select distinct
            names.period,
            {{ period_of('months.month', 'names.period') }} as period_start
        from months
        cross join (select distinct period from budgets) as names
    ) as starts
        on budgets.period = starts.period and starts.period_start <= budgets.current_period
    where
        {{ days_after(end_of_period('starts.period_start', 'budgets.period'), -1) }}
        between budgets.valid_from and budgets.valid_to
        and (budgets.amount is not null or starts.period_start = budgets.current_period)
),

owned as (
    select
        owner,
        price_unit,
        {{ month_of('start_date') }} as month,
        sum(cost) as cost
    from {{ ref('twilio_usage', 'allocated_cost') }}
    where exists (select 1 from budgets where scope = 'owner')
    group by owner, price_unit, {{ month_of('start_date') }}
),

entries as (
    select
        members.budget_id,
        members.currency,
        costs.month,
        costs.cost as actual,
        {{ double('0') }} as to_come,
        {{ double('0') }} as usage_to_come,
        {{ double('0') }} as week
    from members
    inner join {{ ref('twilio_usage', 'int_twilio_usage__cost_by_month') }} as costs
        on members.account_sid = costs.account_sid
        and members.service = costs.service
        and members.category = costs.category
        and members.currency = costs.price_unit
    where members.owner is null
    union all
    select
        budgets.budget_id,
        budgets.currency,
        owned.month,
        owned.cost,
        0,
        0,
        0
    from (select distinct budget_id, scope, scope_value, currency from budgets) as budgets
    inner join owned
        on budgets.scope = 'owner'
        and budgets.scope_value = owned.owner
        and budgets.currency = owned.price_unit
    union all
    select
        members.budget_id,
        members.currency,
        forecasts.month,
        0,
        members.share_of_cost * {{ double('forecasts.to_come') }},
        case
            when forecasts.is_monthly then 0
            else members.share_of_cost * {{ double('forecasts.to_come') }}
        end,
        members.share_of_cost * forecasts.week
    from members
    inner join {{ ref('twilio_usage', 'int_twilio_usage__forecasts') }} as forecasts
        on members.account_sid = forecasts.account_sid
        and members.service = forecasts.service
        and members.category = forecasts.category
        and members.currency = forecasts.price_unit
),

by_month as (
    select
        budget_id,
        currency,
        month,
        sum(actual) as actual,
        sum(to_come) as to_come,
        sum(usage_to_come) as usage_to_come,
        sum(week) as week
    from entries
    group by budget_id, currency, month
),

misses as (
    select
        budget_id,
        currency,
        avg(power(error_of_week, 2)) as of_week,
        avg(power(error_of_4_weeks, 2)) as of_4_weeks
    from (
        select
            members.budget_id,
            members.currency,
            forecast_errors.start_date,
            sum(members.share_of_cost * forecast_errors.error_of_week) as error_of_week,
            sum(members.share_of_cost * forecast_errors.error_of_4_weeks) as error_of_4_weeks
        from members
        inner join {{ ref('twilio_usage', 'int_twilio_usage__forecast_errors') }} as forecast_errors
            on members.account_sid = forecast_errors.account_sid
            and members.service = forecast_errors.service
            and members.category = forecast_errors.category
            and members.currency = forecast_errors.price_unit
        group by members.budget_id, members.currency, forecast_errors.start_date
    ) as days
    group by budget_id, currency
),

sums as (
    select
        periods.budget_id,
        periods.scope,
        periods.scope_value,
        periods.period,
        periods.period_start,
        periods.period_end,
        periods.currency,
        periods.amount,
        periods.today,
        coalesce(sum(by_month.actual), 0) as actual,
        coalesce(sum(by_month.to_come), 0) as to_come,
        coalesce(sum(by_month.usage_to_come), 0) as usage_to_come,
        coalesce(max(by_month.week), 0) as week
    from periods
    left join by_month
        on periods.budget_id = by_month.budget_id
        and periods.currency = by_month.currency
        and by_month.month between periods.period_start and periods.period_end
    group by
        periods.budget_id,
        periods.scope,
        periods.scope_value,
        periods.period,
        periods.period_start,
        periods.period_end,
        periods.currency,
        periods.amount,
        periods.today
),

forecasts as (
    select
        sums.*,
        actual + {{ rounded('to_come') }} as forecast,
        case
            when period_end < today then 0
            else {{ half_range(
                'usage_to_come', 'week', dbt.datediff('today', 'period_end', 'day') ~ ' / 7.0 + 1', '0',
                'misses.of_week', 'misses.of_4_weeks'
            ) }}
        end as half_range
    from sums
    left join misses on sums.budget_id = misses.budget_id and sums.currency = misses.currency
)

select
    budget_id,
    scope,
    scope_value,
    period,
    period_start,
    period_end,
    currency,
    amount,
    actual,
    forecast,
    {{ low_end('actual', 'forecast', 'half_range') }} as forecast_low,
    forecast + {{ rounded('half_range') }} as forecast_high,
    round(100 * cast(actual / nullif(amount, 0) as {{ type_factor(24, 12) }}), 2) as percent_used,
    {{ rounded(
        "100 * least(greatest(" ~ double(dbt.datediff('period_start', 'today', 'day')) ~ ", 0) / ("
        ~ dbt.datediff('period_start', 'period_end', 'day') ~ " + 1), 1)", 2
    ) }} as percent_of_period,
    case
        when amount is null then 'no_budget'
        when actual > amount then 'over'
        when forecast > amount then 'at_risk'
        else 'ok'
    end as status
from forecasts
