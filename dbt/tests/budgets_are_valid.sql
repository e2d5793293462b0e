-- A budget that no cost can belong to, two of one name for the same day, or one name for two scopes.
with budgets as (
    select *
    from {{ ref('twilio_usage', 'int_twilio_usage__budgets') }}
    where budget_id is null or budget_id <> 'no budget'
),

checked as (
    select
        budget_id,
        case
            when budget_id is null then 'no budget_id'
            when coalesce(scope, '') not in ('all', 'account', 'owner', 'service', 'category')
                then 'scope is not all, account, owner, service or category'
            when scope <> 'all' and scope_value is null then 'no scope_value'
            when coalesce(period, '') not in ('month', 'quarter', 'year')
                then 'period is not month, quarter or year'
            when amount is null then 'no amount'
            when amount < 0 then 'amount is negative'
            when currency is null then 'no currency'
            when valid_from > valid_to then 'valid_from is after valid_to'
        end as problem
    from budgets
)

select *
from checked
where problem is not null
union all
select
    budgets.budget_id,
    'two amounts on the same day'
from budgets
inner join budgets as others
    on budgets.budget_id = others.budget_id
    and budgets.currency = others.currency
    and budgets.valid_from <= others.valid_to
    and others.valid_from <= budgets.valid_to
group by budgets.budget_id, budgets.valid_from, budgets.scope, budgets.scope_value, budgets.period
having count(*) > 1
union all
select
    budget_id,
    'two scopes in one currency'
from budgets
group by budget_id, currency
having count(distinct scope) > 1
    or count(distinct coalesce(scope_value, '')) > 1
