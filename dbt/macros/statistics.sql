{#-
    Floating point with 15 digits, for statistics: means, spreads and scores. Not dbt.type_float(),
    which has 7 digits in some warehouses. No billed amount goes through it.
-#}
{% macro type_double() %}{{ adapter.dispatch('type_double', 'twilio_usage')() }}{% endmacro %}

{% macro default__type_double() %}double precision{% endmacro %}

{% macro bigquery__type_double() %}float64{% endmacro %}

{% macro databricks__type_double() %}double{% endmacro %}

{% macro double(number) %}cast({{ number }} as {{ twilio_usage.type_double() }}){% endmacro %}

{#- Return a statistic as a rounded decimal. -#}
{% macro rounded(number, digits=6) -%}
    round(cast({{ number }} as {{ twilio_usage.type_exact() }}), {{ digits }})
{%- endmacro %}

{#- Return the mean without the largest and the smallest value; of one or two values, their mean. -#}
{% macro trimmed_mean(total, smallest, largest, number) -%}
    case
        when {{ number }} >= 3 then ({{ total }} - {{ smallest }} - {{ largest }}) / ({{ number }} - 2)
        when {{ number }} >= 1 then {{ total }} / {{ number }}
    end
{%- endmacro %}
