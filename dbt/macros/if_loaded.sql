{#-
    Return the table of an optional stream. If the table does not exist, return an empty relation
    with the columns of this model in its yml, so that the models built on it still work.
-#}
{% macro if_loaded(stream) %}
    {%- set table = source('twilio_usage', stream) -%}
    {%- if not execute or load_relation(table) -%}
        {{ table }}
    {%- else -%}
        (
            select
            {%- for column in model.columns %}
                cast(null as {{ dbt.type_string() }}) as {{ twilio_usage.named(column) }}{{ ',' if not loop.last }}
            {%- endfor %}
            limit 0
        ) as not_loaded
    {%- endif -%}
{% endmacro %}
