{#-
    Return the first and the last day on which a row of an input is valid. A last day such as 9999-12-31
    has no day after it in some warehouses.
-#}
{% macro valid_from(date) -%}
    coalesce(cast({{ date }} as date), cast('1000-01-01' as date))
{%- endmacro %}

{% macro valid_to(date) -%}
    least(coalesce(cast({{ date }} as date), cast('2999-12-31' as date)), cast('2999-12-31' as date))
{%- endmacro %}
