-- Rows of the inputs that have no effect. A warning only: their costs may still come.
{{ config(severity='warn') }}

with rules as (
    select
        rules.rule_id,
        rules.owner,
        count(costs.month) as matches
    from {{ ref('twilio_usage', 'int_twilio_usage__allocation_rules') }} as rules
    left join {{ ref('twilio_usage', 'int_twilio_usage__rule_matches') }} as matches
        on rules.rule_id = matches.rule_id and rules.owner = matches.owner
    left join {{ ref('twilio_usage', 'int_twilio_usage__cost_by_month') }} as costs
        on matches.account_sid = costs.account_sid
        and matches.service = costs.service
        and matches.category = costs.category
        and matches.valid_from < {{ months_after('costs.month', 1) }}
        and matches.valid_to >= costs.month
    group by rules.rule_id, rules.owner
),

accounts as (
    select distinct
        account_sid,
        first_day,
        first_day_of_all
    from {{ ref('twilio_usage', 'int_twilio_usage__loaded_days') }}
)

select
    'allocation_rules' as input,
    rule_id as name,
    'no cost matches the rule' as problem
from rules
where matches = 0
union all
select
    'customers',
    {{ dbt.concat(["coalesce(customers.customer_id, '')", "' '", "coalesce(customers.account_sid, '')"]) }},
    'no day of the account is loaded'
from {{ ref('twilio_usage', 'int_twilio_usage__customers') }} as customers
left join accounts on customers.account_sid = accounts.account_sid
where accounts.account_sid is null
union all
select
    'budgets',
    budgets.budget_id,
    'it begins before the first loaded day, so its first period lacks costs'
from {{ ref('twilio_usage', 'int_twilio_usage__budgets') }} as budgets
where budgets.valid_from > cast('1000-01-01' as date)
    and budgets.valid_from < (select min(first_day_of_all) from accounts)
union all
select
    'budgets',
    budget_id,
    'no cost belongs to the budget'
from {{ ref('twilio_usage', 'budget_status') }}
where amount is not null
group by budget_id
having max(abs(actual)) = 0
