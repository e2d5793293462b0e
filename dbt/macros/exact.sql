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

{#- A smaller decimal, for a factor: the product of two large ones has too many digits for some. -#}
{% macro type_factor(precision, scale) %}
    {{- adapter.dispatch('type_factor', 'twilio_usage')(precision, scale) -}}
{% endmacro %}

{% macro default__type_factor(precision, scale) %}decimal({{ precision }}, {{ scale }}){% endmacro %}

{% macro bigquery__type_factor(precision, scale) %}bignumeric{% endmacro %}

{% macro default__type_exact() %}decimal(38, 12){% endmacro %}

{% macro bigquery__type_exact() %}bignumeric{% endmacro %}
