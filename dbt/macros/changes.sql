{#-
    Incremental models by key: an account's day, an account's month, a day or a month. A hook deletes the
    keys whose version is no longer that of the loaded rows, and the model adds the keys that are missing.
    So it does not matter how old a day is that was read again, added or deleted, nor whether an earlier
    build failed half way. What is not there is found by is_built and is_loaded, which are no keys, because
    PostgreSQL expects most keys to be missing then, and reads whole tables. They are few.
-#}

{#- Return the versions of all keys. `inputs` names the models that it is made of besides. -#}
{% macro versions(keys, inputs=[], same=[]) -%}
    {%- set of_days = keys == ['account_sid', 'start_date'] -%} {#- a row of loaded_days each -#}
    (
        select
            {%- for key in keys + same %}
            {{ twilio_usage.month_of('start_date') if key == 'month' else key }} as loaded_{{ key }},
            {%- endfor %}
            cast(
                {{- 'version' if of_days else 'sum(version)' }} + {{ twilio_usage.fingerprint(inputs) }} as {{ dbt.type_bigint() -}}
            ) as loaded_version,
            1 as is_loaded
        from {{ ref('twilio_usage', 'int_twilio_usage__loaded_days') }}
        {%- if not of_days %}
        group by {% for key in keys + same %}
            {{- twilio_usage.month_of('start_date') if key == 'month' else key }}{{ ', ' if not loop.last }}
        {%- endfor %}
        {%- endif %}
    ) as versions
{%- endmacro %}

{#- Delete the keys that have another version. The outer table's columns have other names than the inner ones. -#}
{% macro delete_changed(keys, inputs=[], same=[]) -%}
    {%- if is_incremental() -%}
        {%- set columns = adapter.get_columns_in_relation(this) | map(attribute='name') | map('lower') | list -%}
        delete from {{ this }}
        where {% if 'version' not in columns %}true{% else %}exists (
            select 1
            from (
                select distinct
                    {%- for column in keys + same + ['version'] %}
                    {{ column }} as built_{{ column }}{{ ',' if not loop.last }}
                    {%- endfor %}
                from {{ this }}
            ) as built
            left join {{ twilio_usage.versions(keys, inputs, same) }}
                on versions.loaded_version = built.built_version
                {%- for key in keys %}
                and versions.loaded_{{ key }} = built.built_{{ key }}
                {%- endfor %}
                {%- for key in same %}
                and coalesce(versions.loaded_{{ key }}, '') = coalesce(built.built_{{ key }}, '')
                {%- endfor %}
            where versions.is_loaded is null
                {%- for key in keys %}
                and built.built_{{ key }} = {{ key }}
                {%- endfor %}
        ){% endif %}
    {%- endif -%}
{%- endmacro %}

{#- Return the days of the keys to add, with the keys' versions: on a first build, all days. -#}
{% macro missing(keys, inputs=[]) -%}
    select
        days.account_sid,
        days.start_date,
        {%- if 'month' in keys %}
        {{ twilio_usage.month_of('days.start_date') }} as month,
        {%- endif %}
        versions.loaded_version as version
    from {{ ref('twilio_usage', 'int_twilio_usage__loaded_days') }} as days
    inner join {{ twilio_usage.versions(keys, inputs) }}
        on {% for key in keys -%}
            {{ twilio_usage.month_of('days.start_date') if key == 'month' else 'days.' ~ key }} = versions.loaded_{{ key }}
            {{- ' and ' if not loop.last }}
        {%- endfor %}
    {%- if is_incremental() %}
    left join (select distinct {{ keys | join(', ') }}, 1 as is_built from {{ this }}) as built
        on {% for key in keys %}versions.loaded_{{ key }} = built.{{ key }}{{ ' and ' if not loop.last }}{% endfor %}
    where built.is_built is null
    {%- endif %}
{%- endmacro %}

{#- Return a number that changes with any row of these models, and with the code of the model itself. -#}
{% macro fingerprint(inputs) -%}
    {%- set found = [model.raw_code] -%}
    {%- for name in inputs -%}
        {%- set rows = 'select * from ' ~ ref('twilio_usage', name) -%}
        {%- if execute and flags.WHICH in ['build', 'run'] -%}
            {%- for row in run_query(rows).rows -%}
                {%- do found.append(name ~ '|' ~ (row.values() | join('|'))) -%}
            {%- endfor -%}
        {%- endif -%}
    {%- endfor -%}
    {{ local_md5(found | sort | join('\n'))[:11] | int(base=16) }}
{%- endmacro %}
