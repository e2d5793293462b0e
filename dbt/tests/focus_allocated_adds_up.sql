-- The parts of each FOCUS row have its costs and quantities.
{%- set keys -%}
    {{ focus('x_AccountSid') }}, {{ focus('x_Category') }}, {{ focus('ChargePeriodStart') }}
{%- endset %}

select
    {{ keys }},
    sum(cost) as cost_difference,
    sum(quantity) as quantity_difference
from (
    select
        {{ keys }},
        {{ focus('BilledCost') }} as cost,
        coalesce({{ focus('PricingQuantity') }}, 0) as quantity
    from {{ ref('twilio_usage', 'focus_cost_and_usage_allocated') }}
    {%- if not execute or twilio_usage.tables_of('focus_cost_and_usage') %}
    union all
    select
        {{ focus('x_AccountSid') }},
        {{ focus('x_Category') }},
        {{ utc(focus('ChargePeriodStart')) }},
        -{{ exact(focus('BilledCost')) }},
        -coalesce({{ exact(focus('PricingQuantity')) }}, 0)
    from {{ if_loaded('focus_cost_and_usage') }}
    {%- endif %}
) as entries
group by {{ keys }}
having sum(cost) <> 0 or sum(quantity) <> 0
