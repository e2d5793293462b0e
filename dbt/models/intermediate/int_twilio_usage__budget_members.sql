{{ config(materialized='table') }}

{#- The costs that a budget covers: all of a category's, or an owner's share of them. -#}
with budgets as (
    select distinct
        budget_id,
        scope,
        scope_value,
        currency
    from {{ ref('twilio_usage', 'int_twilio_usage__budgets') }}
),

series as (
    select distinct
        account_sid,
        service,
        category,
        price_unit
    from {{ ref('twilio_usage', 'int_twilio_usage__cost_by_month') }}
),

-- An owner's share is that of the last five weeks, which have the fees of a month in them.
days as (
    select distinct
        account_sid,
        {{ days_after('today', -35) }} as since
    from {{ ref('twilio_usage', 'int_twilio_usage__loaded_days') }}
),

owned as (
    select
        allocated.account_sid,
        allocated.service,
        allocated.category,
        allocated.price_unit,
        allocated.owner,
        sum({{ double('allocated.cost') }}) as cost
    from {{ ref('twilio_usage', 'allocated_cost') }} as allocated
    inner join days
        on allocated.account_sid = days.account_sid and allocated.start_date >= days.since
    where exists (select 1 from budgets where scope = 'owner')
    group by
        allocated.account_sid,
        allocated.service,
        allocated.category,
        allocated.price_unit,
        allocated.owner
),

shares as (
    select
        owned.*,
        cost / nullif(sum(cost) over (partition by account_sid, service, category, price_unit), 0)
            as share_of_cost
    from owned
)

select
    budgets.budget_id,
    budgets.currency,
    series.account_sid,
    series.service,
    series.category,
    cast(null as {{ dbt.type_string() }}) as owner,
    {{ double('1') }} as share_of_cost
from budgets
inner join series on budgets.currency = series.price_unit
left join {{ ref('twilio_usage', 'int_twilio_usage__categories_inside') }} as inside
    on budgets.scope = 'category'
    and lower(budgets.scope_value) = inside.category
    and lower(series.category) = inside.inside_category
where
    budgets.scope = 'all'
    or (budgets.scope = 'account' and budgets.scope_value = series.account_sid)
    or (budgets.scope = 'service' and lower(budgets.scope_value) = lower(series.service))
    or (
        budgets.scope = 'category'
        and (inside.category is not null or lower(budgets.scope_value) = lower(series.category))
    )
union all
select
    budgets.budget_id,
    budgets.currency,
    shares.account_sid,
    shares.service,
    shares.category,
    shares.owner,
    coalesce(shares.share_of_cost, 0)
from budgets
inner join shares on budgets.currency = shares.price_unit and budgets.scope_value = shares.owner
where budgets.scope = 'owner'
