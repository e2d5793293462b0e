{#- Return whether two values differ; null differs from any other value. -#}
{% macro differs(one, other) -%}
    ({{ one }} <> {{ other }}
    or ({{ one }} is null and {{ other }} is not null)
    or ({{ one }} is not null and {{ other }} is null))
{%- endmacro %}
