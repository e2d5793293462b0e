{#- The costs of each account and period (a column: start_date, or month) are Twilio's own total. -#}
{% test adds_up_to_the_total(model, period) %}
select
    account_sid,
    {{ period }},
    price_unit,
    sum(cost) as difference
from (
    select account_sid, {{ period }}, price_unit, cost from {{ model }}
    union all
    select
        account_sid,
        {{ month_of('start_date') if period == 'month' else 'start_date' }},
        price_unit,
        -total
    from {{ ref('twilio_usage', 'reconciliation') }}
) as entries
group by account_sid, {{ period }}, price_unit
having sum(cost) <> 0
{% endtest %}
