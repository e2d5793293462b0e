{#-
    Return a name of FOCUS as the table of a target has it. Snowflake's and Redshift's loaders do not keep
    the case of names, and no query there needs quotes.
-#}
{% macro focus(name) %}{{ adapter.dispatch('focus', 'twilio_usage')(name) }}{% endmacro %}

{% macro default__focus(name) %}{{ adapter.quote(name) }}{% endmacro %}

{% macro snowflake__focus(name) %}{{ name }}{% endmacro %}

{% macro redshift__focus(name) %}{{ name }}{% endmacro %}

{#- Return a name of any model: only those of FOCUS have capitals. -#}
{% macro named(name) -%}
    {{ name if name == name | lower else twilio_usage.focus(name) }}
{%- endmacro %}

{#- Return the first moment of a day. -#}
{% macro midnight(date) %}cast({{ date }} as {{ dbt.type_timestamp() }}){% endmacro %}

{#- Return a GUID of a text: the same one for the same text. -#}
{% macro guid(text) -%}
    {%- set hash = dbt.hash(text) -%}
    {%- for start, length in [(1, 8), (9, 4), (13, 4), (17, 4), (21, 12)] -%}
        {{ " || '-' || " if not loop.first }}substr({{ hash }}, {{ start }}, {{ length }})
    {%- endfor -%}
{%- endmacro %}

{#- Return a text as JSON writes it, with its quotes. Some warehouses read a backslash in a literal. -#}
{% macro json_text(text) -%}
    {%- set written = ['replace(' ~ text ~ ', chr(92), chr(92) || chr(92))'] -%}
    {%- for code, escaped in [(34, 34), (10, "'n'"), (13, "'r'"), (9, "'t'")] -%}
        {%- set with = escaped if escaped is string else 'chr(' ~ escaped ~ ')' -%}
        {%- do written.append('replace(' ~ written[-1] ~ ', chr(' ~ code ~ '), chr(92) || ' ~ with ~ ')') -%}
    {%- endfor -%}
    chr(34) || {{ written[-1] }} || chr(34)
{%- endmacro %}

{#- Return a JSON object of the values that are not null; null if all are. -#}
{% macro json_object(values) -%}
    {%- set pairs -%}
        {%- for key, value in values.items() -%}
            {{ ' || ' if not loop.first }}coalesce(',"{{ key }}":' || {{ twilio_usage.json_text(value) }}, '')
        {%- endfor -%}
    {%- endset -%}
    case
        when coalesce({{ values.values() | join(', ') }}) is not null
            then '{' || substr({{ pairs }}, 2) || '}'
    end
{%- endmacro %}
