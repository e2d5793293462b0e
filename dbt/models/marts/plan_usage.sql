with used as (
    select
        customer_id,
        plan_id,
        month,
        allowance,
        sum(used) as used
    from {{ ref('twilio_usage', 'int_twilio_usage__customer_usage') }}
    where allowance is not null
    group by customer_id, plan_id, month, allowance
),

quantities as (
    select
        months.customer_id,
        months.month,
        months.plan_id,
        allowances.category,
        allowances.unit,
        cast(round(allowances.included * months.part_of_month, 6) as {{ type_factor(18, 6) }}) as included,
        cast(round(coalesce(used.used, 0), 6) as {{ type_factor(18, 6) }}) as used
    from {{ ref('twilio_usage', 'int_twilio_usage__plan_months') }} as months
    inner join {{ ref('twilio_usage', 'int_twilio_usage__plan_allowances') }} as allowances
        on months.plan_id = allowances.plan_id
    left join used
        on months.customer_id = used.customer_id
        and months.plan_id = used.plan_id
        and months.month = used.month
        and allowances.category = used.allowance
)

select
    customer_id,
    month,
    plan_id,
    category,
    unit,
    included,
    used,
    greatest(included - used, 0) as remaining,
    greatest(used - included, 0) as overage,
    cast(round(100 * used / nullif(included, 0), 2) as {{ type_factor(18, 2) }}) as percent_used
from quantities
