{#- Return the first day of a date's month. -#}
{% macro month_of(date) %}cast({{ dbt.date_trunc('month', date) }} as date){% endmacro %}

{#- Return the next day. -#}
{% macro day_after(date) %}cast({{ dbt.dateadd('day', 1, date) }} as date){% endmacro %}
