{#- The column as an exact decimal, however the target stores JSON's numbers. -#}
{% macro exact(column) %}{{ adapter.dispatch('exact', 'twilio_usage')(column) }}{% endmacro %}

{% macro default__exact(column) %}cast({{ column }} as numeric){% endmacro %}

{#- target-duckdb makes DOUBLEs of them: the text of one is the decimal that was written. -#}
{% macro duckdb__exact(column) %}cast(cast({{ column }} as varchar) as decimal(38, 12)){% endmacro %}
