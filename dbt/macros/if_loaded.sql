{#-
    Return the table of a stream, with the rows of all schemas. If no schema has it, return an empty
    relation with the columns of its staging model, or else of this model, in its yml, so that the models
    built on it still work. Only where nothing but billing groups is loaded, a stream that usage needs may
    be missing.
-#}
{% macro if_loaded(stream, usage_needs_it=false) %}
    {%- set tables = [source('twilio_usage', stream)] -%}
    {%- if execute -%}
        {%- set tables = twilio_usage.tables_of(stream, usage_needs_it) -%}
    {%- endif -%}
    {%- if tables | length == 1 -%}
        {{ tables[0] }}
    {%- elif tables -%}
        {{ twilio_usage.union_of(tables) }}
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

{#- Return the stream's tables: of each schema that has it, or needs it. -#}
{% macro tables_of(stream, usage_needs_it=false) %}
    {%- set tables = [] -%}
    {%- for schema in var('twilio_usage_schemas') or [source('twilio_usage', stream).schema] -%}
        {%- set table = source('twilio_usage', stream).incorporate(path={'schema': schema}) -%}
        {%- set groups = source('twilio_usage', 'billing_group_records').incorporate(path={'schema': schema}) -%}
        {%- if load_relation(table) or (usage_needs_it and not load_relation(groups)) -%}
            {%- do tables.append(table) -%}
        {%- endif -%}
    {%- endfor -%}
    {{- return(tables) -}}
{% endmacro %}

{#-
    Return the rows of several tables. A column that some do not have is null there; one that has another
    type elsewhere is text, so that no amount becomes floating point: the staging models cast it.
-#}
{% macro union_of(tables) %}
    {%- set types, columns = {}, {} -%}
    {%- for table in tables -%}
        {%- set own = adapter.get_columns_in_relation(table) -%}
        {%- if not own -%}
            {{ exceptions.raise_compiler_error(
                "twilio_usage_schemas: there is no table " ~ table ~ "; load it, or correct the name"
            ) }}
        {%- endif -%}
        {%- do columns.update({table | string: own | map(attribute='name') | list}) -%}
        {%- for column in own -%}
            {%- set type = types.get(column.name, column.data_type) -%}
            {%- do types.update({column.name: type if type == column.data_type else dbt.type_string()}) -%}
        {%- endfor -%}
    {%- endfor -%}
    (
        {%- for table in tables %}
        {{ 'union all' if not loop.first }}
        select
            {%- for name, type in types.items() %}
            cast({{ adapter.quote(name) if name in columns[table | string] else 'null' }} as {{ type }})
                as {{ adapter.quote(name) }}{{ ',' if not loop.last }}
            {%- endfor %}
        from {{ table }}
        {%- endfor %}
    ) as all_schemas
{%- endmacro %}
