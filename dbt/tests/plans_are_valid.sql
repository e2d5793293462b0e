-- A plan that cannot be charged.
with plans as (
    select
        plans.*,
        count(*) over (partition by plan_id) as times
    from {{ ref('twilio_usage', 'int_twilio_usage__plans') }} as plans
),

checked as (
    select
        plan_id,
        case
            when plan_id is null then 'no plan_id'
            when times > 1 then 'the plan is given twice'
            when monthly_price is null then 'no monthly_price'
            when monthly_price < 0 then 'monthly_price is negative'
            when markup_percent < 0 then 'markup_percent is negative'
            when price_unit is null then 'no currency'
            when length(price_unit) <> 3 then 'currency has not three letters'
        end as problem
    from plans
)

select *
from checked
where problem is not null
