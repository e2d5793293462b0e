{{
    config(
        materialized='incremental',
        full_refresh=false,
        on_schema_change='append_new_columns',
        pre_hook="{% if is_incremental() %}delete from {{ this }} where not is_closed{% endif %}",
    )
}}
{{- refuse_to_close_early() }}
{{- refuse_to_credit_what_is_not_loaded() }}
{%- set text = dbt.type_string() %}

with plans as (
    select
        plans.*,
        cast(
            markup_percent * cast('0.01' as {{ type_factor(18, 6) }}) as {{ type_factor(13, 8) }}
        ) as markup
    from {{ ref('twilio_usage', 'int_twilio_usage__plans') }} as plans
),

customers as (
    select
        customer_id,
        max(name) as customer_name
    from {{ ref('twilio_usage', 'int_twilio_usage__customers') }}
    group by customer_id
),

costs as (
    select
        customer_id,
        plan_id,
        account_sid,
        month,
        price_unit,
        allowance,
        case when allowance is null then service end as service,
        sum(cost) as cost
    from {{ ref('twilio_usage', 'int_twilio_usage__customer_usage') }}
    group by
        customer_id,
        plan_id,
        account_sid,
        month,
        price_unit,
        allowance,
        case when allowance is null then service end
),

-- The cost of what an allowance covers, and the part of it that the overage caused.
covered as (
    select
        costs.*,
        case
            when plan_usage.overage > 0 then cast(
                round(costs.cost * cast(plan_usage.overage / plan_usage.used as {{ type_factor(18, 15) }}), 12)
                as {{ type_exact() }}
            )
            else 0
        end as cost_of_overage
    from costs
    inner join {{ ref('twilio_usage', 'plan_usage') }} as plan_usage
        on costs.customer_id = plan_usage.customer_id
        and costs.plan_id = plan_usage.plan_id
        and costs.month = plan_usage.month
        and costs.allowance = plan_usage.category
),

-- What a line charges and what it costs may be in two currencies, so they are entries of their own.
entries as (
    select
        months.customer_id,
        months.month,
        plans.price_unit,
        'plan' as line,
        months.plan_id,
        cast(null as {{ text }}) as item,
        cast(months.part_of_month as {{ type_exact() }}) as quantity,
        cast(plans.monthly_price as {{ type_exact() }}) as unit_price,
        cast(round(months.part_of_month * plans.monthly_price, 12) as {{ type_exact() }}) as exact_amount,
        cast(0 as {{ type_exact() }}) as cost
    from {{ ref('twilio_usage', 'int_twilio_usage__plan_months') }} as months
    inner join plans on months.plan_id = plans.plan_id
    union all
    select
        plan_usage.customer_id,
        plan_usage.month,
        plans.price_unit,
        'overage',
        plan_usage.plan_id,
        plan_usage.category,
        cast(plan_usage.overage as {{ type_exact() }}),
        cast(allowances.overage_unit_price as {{ type_exact() }}),
        cast(plan_usage.overage * allowances.overage_unit_price as {{ type_exact() }}),
        0
    from {{ ref('twilio_usage', 'plan_usage') }} as plan_usage
    inner join {{ ref('twilio_usage', 'int_twilio_usage__plan_allowances') }} as allowances
        on plan_usage.plan_id = allowances.plan_id
        and plan_usage.category = allowances.category
    inner join plans on plan_usage.plan_id = plans.plan_id
    union all
    select customer_id, month, price_unit, 'plan', plan_id, null, 0, 0, 0, cost - cost_of_overage
    from covered
    union all
    select customer_id, month, price_unit, 'overage', plan_id, allowance, 0, 0, 0, cost_of_overage
    from covered
    union all
    select customer_id, month, price_unit, 'usage', plan_id, service, cost, 1, cost, cost
    from costs
    where customer_id is not null and allowance is null
    union all
    select
        costs.customer_id,
        costs.month,
        costs.price_unit,
        'markup',
        costs.plan_id,
        null,
        costs.cost,
        cast(plans.markup as {{ type_exact() }}),
        cast(round(cast(costs.cost as {{ type_factor(24, 12) }}) * plans.markup, 12) as {{ type_exact() }}),
        0
    from (
        select customer_id, plan_id, month, price_unit, sum(cost) as cost
        from costs
        where customer_id is not null and allowance is null
        group by customer_id, plan_id, month, price_unit
    ) as costs
    inner join plans on costs.plan_id = plans.plan_id
    union all
    select null, month, price_unit, 'unassigned', null, account_sid, cost, 0, 0, cost
    from costs
    where customer_id is null
),

lines as (
    select
        customer_id,
        month,
        price_unit,
        line,
        plan_id,
        item,
        sum(quantity) as quantity,
        max(unit_price) as unit_price,
        sum(exact_amount) as exact_amount,
        sum(cost) as cost
    from entries
    group by customer_id, month, price_unit, line, plan_id, item
    having sum(exact_amount) <> 0 or sum(cost) <> 0
),

-- Largest remainder: all lines are rounded down to cents, and what this leaves of the rounded total
-- goes, a cent each, to the lines that lost most.
in_cents as (
    select
        lines.*,
        cast(exact_amount as {{ type_factor(24, 12) }}) * 100 as cents,
        floor(cast(exact_amount as {{ type_factor(24, 12) }}) * 100) as whole_cents
    from lines
),

places as (
    select
        in_cents.*,
        round(sum(cents) over (partition by customer_id, month, price_unit), 0)
            - sum(whole_cents) over (partition by customer_id, month, price_unit) as cents_left,
        row_number() over (
            partition by customer_id, month, price_unit
            order by
                cents - whole_cents desc,
                case line when 'plan' then 1 when 'overage' then 2 when 'usage' then 3 else 4 end,
                coalesce(plan_id, ''),
                coalesce(item, '')
        ) as place
    from in_cents
),

charges as (
    select
        places.*,
        customers.customer_name,
        cast(
            cast(
                whole_cents + case when place <= cents_left then 1 else 0 end
                as {{ type_factor(18, 2) }}
            ) * cast('0.01' as {{ type_factor(18, 6) }})
            as {{ type_factor(18, 2) }}
        ) as amount
    from places
    left join customers on places.customer_id = customers.customer_id
){% if is_incremental() %},

-- What the months that are closed have charged, corrections in them included.
issued as (
    select * from {{ this }} where is_closed
),

closed_months as (
    select distinct month from issued
),

differences as (
    select
        customer_id,
        price_unit,
        max(customer_name) as customer_name,
        sum(amount) as amount,
        sum(cost) as cost
    from (
        select customer_id, price_unit, customer_name, amount, cost
        from charges
        where month in (select month from closed_months)
        union all
        select customer_id, price_unit, customer_name, -amount, -cost
        from issued
    ) as entries
    group by customer_id, price_unit
    having sum(amount) <> 0 or sum(cost) <> 0
),

adjustments as (
    select
        differences.*,
        last_closed.month_after
    from differences
    cross join (
        select cast({{ dbt.dateadd('month', 1, 'max(month)') }} as date) as month_after
        from closed_months
    ) as last_closed
)
{%- endif %}

select
    customer_id,
    customer_name,
    month,
    price_unit,
    line,
    plan_id,
    item,
    quantity,
    unit_price,
    amount,
    cost,
    month < {{ first_open_month() }} as is_closed
from charges
{%- if is_incremental() %}
where month not in (select month from closed_months)
union all
select
    customer_id,
    customer_name,
    month_after,
    price_unit,
    'adjustment',
    null,
    null,
    1,
    cast(amount as {{ type_exact() }}),
    cast(amount as {{ type_factor(18, 2) }}),
    cost,
    month_after < {{ first_open_month() }}
from adjustments
{%- endif %}
