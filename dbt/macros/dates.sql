{#- Return the first day of a date's month. -#}
{% macro month_of(date) %}cast({{ dbt.date_trunc('month', date) }} as date){% endmacro %}

{#- Return the next day. -#}
{% macro day_after(date) %}cast({{ dbt.dateadd('day', 1, date) }} as date){% endmacro %}

{#- Return the day that is a number of days later, or earlier if it is negative. -#}
{% macro days_after(date, days) %}cast({{ dbt.dateadd('day', days, date) }} as date){% endmacro %}

{#- Return the day of the week: 0 for Monday, 6 for Sunday. -#}
{% macro weekday_of(date) -%}
    mod({{ dbt.datediff("cast('1900-01-01' as date)", date, 'day') }}, 7)
{%- endmacro %}

{#- Return the day of the month, from 1. -#}
{% macro day_of_month(date) -%}
    {{ dbt.datediff(twilio_usage.month_of(date), date, 'day') }} + 1
{%- endmacro %}

{#- Return the same day of a later month, or of an earlier one. -#}
{% macro months_after(date, months) %}cast({{ dbt.dateadd('month', months, date) }} as date){% endmacro %}
