-- A budget that no cost can belong to, or two of one name for the same day.
with budgets as (
    select *
    from {{ ref('int_twilio_usage__budgets') }}
    where budget_id is null or budget_id <> 'no budget'
)

select budget_id
from budgets
where
    budget_id is null
    or coalesce(scope, '') not in ('all', 'account', 'owner', 'service', 'category')
    or (scope <> 'all' and scope_value is null)
    or coalesce(period, '') not in ('month', 'quarter', 'year')
    or amount is null
    or amount < 0
    or currency is null
    or valid_from > valid_to
union all
select budgets.budget_id
from budgets
inner join budgets as others
    on budgets.budget_id = others.budget_id
    and budgets.currency = others.currency
    and budgets.valid_from <= others.valid_to
    and others.valid_from <= budgets.valid_to
group by budgets.budget_id, budgets.valid_from, budgets.scope, budgets.scope_value, budgets.period
having count(*) > 1
