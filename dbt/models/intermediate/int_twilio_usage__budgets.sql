-- Without any budget there is one of each currency that has no amount.
with budgets as (
    select
        trim(budget_id) as budget_id,
        lower(trim(scope)) as scope,
        nullif(trim(scope_value), '') as scope_value,
        lower(trim(period)) as period,
        cast(amount as {{ type_exact() }}) as amount,
        upper(trim(currency)) as currency,
        {{ valid_from('valid_from') }} as valid_from,
        {{ valid_to('valid_to') }} as valid_to
    from {{ input('budgets') }}
)

select * from budgets
union all
select
    'no budget',
    'all',
    cast(null as {{ dbt.type_string() }}),
    'month',
    {{ exact('null') }},
    price_unit,
    cast('1000-01-01' as date),
    cast('2999-12-31' as date)
from {{ ref('twilio_usage', 'int_twilio_usage__cost_by_month') }}
where price_unit is not null and not exists (select 1 from budgets)
group by price_unit
