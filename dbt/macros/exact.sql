{#-
    Return a number as an exact decimal, however the target stores it. The cast goes through text,
    because the text of a floating-point number is the decimal that was written; a direct cast keeps
    its binary error in some warehouses.
-#}
{% macro exact(number) -%}
    cast(cast({{ number }} as {{ dbt.type_string() }}) as {{ twilio_usage.type_exact() }})
{%- endmacro %}

{#- Never without precision and scale: Snowflake's default scale is 0, and DuckDB's is 3. -#}
{% macro type_exact() %}{{ adapter.dispatch('type_exact', 'twilio_usage')() }}{% endmacro %}

{% macro default__type_exact() %}decimal(38, 12){% endmacro %}

{% macro bigquery__type_exact() %}bignumeric{% endmacro %}
