-- An allowance of no plan or category, in another unit than the category's usage, without a quantity or
-- price, with a negative one, or one of a plan that has another allowance of the same usage.
select
    allowances.plan_id,
    allowances.category,
    'unknown plan, or a number that is missing or negative' as problem
from {{ ref('twilio_usage', 'int_twilio_usage__plan_allowances') }} as allowances
left join {{ ref('twilio_usage', 'int_twilio_usage__plans') }} as plans on allowances.plan_id = plans.plan_id
where
    plans.plan_id is null
    or allowances.included is null
    or allowances.included < 0
    or allowances.overage_unit_price is null
    or allowances.overage_unit_price < 0
union all
select
    allowances.plan_id,
    allowances.category,
    'unknown category'
from {{ ref('twilio_usage', 'int_twilio_usage__plan_allowances') }} as allowances
left join (select distinct category from {{ ref('twilio_usage', 'int_twilio_usage__category_ancestors') }}) as categories
    on allowances.category = categories.category
where categories.category is null
union all
select distinct
    allowances.plan_id,
    allowances.category,
    'another unit'
from {{ ref('twilio_usage', 'int_twilio_usage__plan_allowances') }} as allowances
inner join {{ ref('twilio_usage', 'int_twilio_usage__cost_by_month') }} as costs
    on allowances.category = lower(trim(costs.category))
    and allowances.unit <> costs.usage_unit
where costs.quantity <> 0
union all
select
    plan_id,
    category,
    'usage in two allowances'
from (
    select
        allowances.plan_id,
        categories.category
    from {{ ref('twilio_usage', 'int_twilio_usage__plan_allowances') }} as allowances
    inner join {{ ref('twilio_usage', 'int_twilio_usage__category_ancestors') }} as categories
        on allowances.category = categories.ancestor
) as covered
group by plan_id, category
having count(*) > 1
