-- The parts of each FOCUS row have its costs and quantities.
{%- set keys -%}
    {{ focus('x_AccountSid') }}, {{ focus('x_Category') }}, {{ focus('ChargePeriodStart') }}
{%- endset %}
{%- set loaded = source('twilio_usage', 'focus_cost_and_usage') %}

select
    {{ keys }},
    sum(cost) as cost_difference,
    sum(quantity) as quantity_difference
from (
    select
        {{ keys }},
        {{ focus('BilledCost') }} as cost,
        coalesce({{ focus('PricingQuantity') }}, 0) as quantity
    from {{ ref('focus_cost_and_usage_allocated') }}
    {%- if not execute or load_relation(loaded) %}
    union all
    select
        {{ focus('x_AccountSid') }},
        {{ focus('x_Category') }},
        {{ utc(focus('ChargePeriodStart')) }},
        -{{ exact(focus('BilledCost')) }},
        -coalesce({{ exact(focus('PricingQuantity')) }}, 0)
    from {{ loaded }}
    {%- endif %}
) as entries
group by {{ keys }}
having sum(cost) <> 0 or sum(quantity) <> 0
