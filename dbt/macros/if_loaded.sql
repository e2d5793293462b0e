{#-
    Return the table of an optional stream. If the table does not exist, return an empty relation
    with the columns of its staging model, or else of this model, in its yml, so that the models built on
    it still work. A stream that usage needs is optional only where nothing but billing groups is loaded.
-#}
{% macro if_loaded(stream, usage_needs_it=false) %}
    {%- set table = source('twilio_usage', stream) -%}
    {%- if not execute
        or load_relation(table)
        or (usage_needs_it and not twilio_usage.has_only_billing_groups()) -%}
        {{ table }}
    {%- else -%}
        (
            select
            {%- for column in graph.nodes.get('model.twilio_usage.stg_twilio_usage__' ~ stream, model).columns %}
                cast(null as {{ dbt.type_string() }}) as {{ twilio_usage.named(column) }}{{ ',' if not loop.last }}
            {%- endfor %}
            limit 0
        ) as not_loaded
    {%- endif -%}
{% endmacro %}

{% macro has_only_billing_groups() %}
    {{- return(
        load_relation(source('twilio_usage', 'billing_group_records')) is not none
        and load_relation(source('twilio_usage', 'usage_records_daily')) is none
    ) -}}
{% endmacro %}
