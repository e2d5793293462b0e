{{ config(
    materialized='incremental',
    on_schema_change='append_new_columns',
    pre_hook="{{ twilio_usage.delete_changed(['month'], [
        'int_twilio_usage__customers',
        'int_twilio_usage__plan_allowances',
        'int_twilio_usage__category_ancestors',
    ]) }}",
) }}

with days as (
    {{ missing(['month'], [
        'int_twilio_usage__customers',
        'int_twilio_usage__plan_allowances',
        'int_twilio_usage__category_ancestors',
    ]) }}
),

allowances as (
    select
        allowances.plan_id,
        allowances.category as allowance,
        categories.category
    from {{ ref('twilio_usage', 'int_twilio_usage__plan_allowances') }} as allowances
    inner join {{ ref('twilio_usage', 'int_twilio_usage__category_ancestors') }} as categories
        on allowances.category = categories.ancestor
),

costs as (
    select
        customers.customer_id,
        customers.plan_id,
        case when customers.customer_id is null then costs.account_sid end as account_sid,
        days.month,
        costs.service,
        allowances.allowance,
        costs.price_unit,
        costs.cost,
        case when allowances.allowance = allowances.category then costs.usage else 0 end as used,
        days.version
    from days
    inner join {{ ref('twilio_usage', 'cost_by_day') }} as costs
        on days.account_sid = costs.account_sid and days.start_date = costs.start_date
    left join {{ ref('twilio_usage', 'int_twilio_usage__customers') }} as customers
        on costs.account_sid = customers.account_sid
        and costs.start_date between customers.valid_from and customers.valid_to
    left join allowances
        on customers.plan_id = allowances.plan_id
        and lower(trim(costs.category)) = allowances.category
    where costs.cost <> 0 or costs.usage <> 0
)

select
    customer_id,
    plan_id,
    account_sid,
    month,
    service,
    allowance,
    price_unit,
    sum(cost) as cost,
    sum(used) as used,
    max(version) as version
from costs
group by customer_id, plan_id, account_sid, month, service, allowance, price_unit
