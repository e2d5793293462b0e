{#-
    Return the table of an optional stream. If the table does not exist, return an empty relation
    with the columns of this model in its yml, so that the models built on it still work. If `alone`
    names a stream, the table is optional only where that one is loaded.
-#}
{% macro if_loaded(stream, alone=none) %}
    {%- set table = source('twilio_usage', stream) -%}
    {%- if not execute
        or load_relation(table)
        or (alone and not load_relation(source('twilio_usage', alone))) -%}
        {{ table }}
    {%- else -%}
        (
            select
            {%- for column in model.columns %}
                cast(null as {{ dbt.type_string() }}) as {{ column }}{{ ',' if not loop.last }}
            {%- endfor %}
            limit 0
        ) as not_loaded
    {%- endif -%}
{% endmacro %}
