{#-
    The table of a stream that need not be selected. Where it is not there, no row of the columns
    that this model has in its yml, so that what is built on it holds without it.
-#}
{% macro if_loaded(stream) %}
    {%- set table = source('twilio_usage', stream) -%}
    {%- if not execute or load_relation(table) -%}
        {{ table }}
    {%- else -%}
        (
            select
            {%- for column in model.columns %}
                cast(null as varchar) as {{ column }}{{ ',' if not loop.last }}
            {%- endfor %}
            where false
        ) as not_loaded
    {%- endif -%}
{% endmacro %}
