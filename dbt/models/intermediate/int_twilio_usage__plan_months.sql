-- A month is charged as soon as the warehouse has a day of it, as a whole.
with months as (
    select distinct {{ month_of('start_date') }} as month
    from {{ ref('twilio_usage', 'int_twilio_usage__loaded_days') }}
),

numbers as (
    {%- for number in range(31) %}
    select {{ number }} as number {{ 'union all' if not loop.last }}
    {%- endfor %}
),

days as (
    select
        month,
        cast({{ dbt.dateadd('day', 'numbers.number', 'months.month') }} as date) as day
    from months
    cross join numbers
),

days_of_months as (
    select
        month,
        day,
        count(*) over (partition by month) as days_in_month
    from days
    where {{ month_of('day') }} = month
),

-- A customer with several accounts on one plan has it once.
plan_months as (
    select
        customers.customer_id,
        customers.plan_id,
        days.month,
        count(distinct days.day) as days_with_plan,
        max(days.days_in_month) as days_in_month
    from days_of_months as days
    inner join {{ ref('twilio_usage', 'int_twilio_usage__customers') }} as customers
        on days.day between customers.valid_from and customers.valid_to
    where customers.plan_id is not null
    group by customers.customer_id, customers.plan_id, days.month
)

select
    customer_id,
    plan_id,
    month,
    days_with_plan,
    days_in_month,
    cast(
        round(cast(days_with_plan as {{ type_factor(18, 15) }}) / days_in_month, 12)
        as {{ type_factor(18, 15) }}
    ) as part_of_month
from plan_months
