-- A row without a customer or account, of an unknown plan, that ends before it begins, or that has an
-- account on a day on which another row has it, too.
with customers as (
    select
        customers.*,
        lead(valid_from) over (partition by account_sid order by valid_from, valid_to) as next_valid_from
    from {{ ref('int_twilio_usage__customers') }} as customers
)

select customers.*
from customers
left join {{ ref('int_twilio_usage__plans') }} as plans on customers.plan_id = plans.plan_id
where
    customers.customer_id is null
    or customers.account_sid is null
    or customers.valid_from > customers.valid_to
    or customers.next_valid_from <= customers.valid_to
    or (customers.plan_id is not null and plans.plan_id is null)
