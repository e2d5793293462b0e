-- A row that makes nobody a customer, or a second one.
with customers as (
    select
        customers.*,
        lead(valid_from) over (partition by account_sid order by valid_from, valid_to) as next_valid_from
    from {{ ref('twilio_usage', 'int_twilio_usage__customers') }} as customers
),

checked as (
    select
        customers.customer_id,
        customers.account_sid,
        customers.plan_id,
        customers.valid_from,
        case
            when customers.customer_id is null then 'no customer_id'
            when customers.account_sid is null then 'no account_sid'
            when customers.valid_from > customers.valid_to then 'valid_from is after valid_to'
            when customers.next_valid_from <= customers.valid_to
                then 'another row has the account on the same day'
            when customers.plan_id is not null and plans.plan_id is null then 'no such plan'
        end as problem
    from customers
    left join {{ ref('twilio_usage', 'int_twilio_usage__plans') }} as plans on customers.plan_id = plans.plan_id
)

select *
from checked
where problem is not null
