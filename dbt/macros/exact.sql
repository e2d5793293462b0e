{#- Return the column as an exact decimal, independent of how the target stores JSON numbers. -#}
{% macro exact(column) %}{{ adapter.dispatch('exact', 'twilio_usage')(column) }}{% endmacro %}

{% macro default__exact(column) %}cast({{ column }} as numeric){% endmacro %}

{#- target-duckdb stores them as DOUBLE; the text of a DOUBLE is the decimal that was written. -#}
{% macro duckdb__exact(column) %}cast(cast({{ column }} as varchar) as decimal(38, 12)){% endmacro %}
