-- A plan without a name to refer to it, a price or a currency, with a negative number, or given twice.
select *
from (
    select
        plans.*,
        count(*) over (partition by plan_id) as times
    from {{ ref('int_twilio_usage__plans') }} as plans
) as plans
where
    times > 1
    or plan_id is null
    or monthly_price is null
    or monthly_price < 0
    or markup_percent < 0
    or price_unit is null
    or length(price_unit) <> 3
