{#- Return a moment without its time zone: the time in UTC, whatever the time zone of the session. -#}
{% macro utc(moment) %}{{ adapter.dispatch('utc', 'twilio_usage')(moment) }}{% endmacro %}

{% macro default__utc(moment) %}cast({{ moment }} as {{ dbt.type_timestamp() }}){% endmacro %}

{#- A moment may be stored with a time zone, without one (and is UTC then), or as text. -#}
{% macro postgres__utc(moment) -%}
    {%- set text = 'cast(' ~ moment ~ ' as ' ~ dbt.type_string() ~ ')' -%}
    case
        when substr({{ text }}, 20) like '%+%'
            or substr({{ text }}, 20) like '%-%'
            or substr({{ text }}, 20) like '%Z'
            then cast({{ text }} as timestamp with time zone) at time zone 'UTC'
        else cast({{ text }} as timestamp)
    end
{%- endmacro %}

{% macro duckdb__utc(moment) %}{{ twilio_usage.postgres__utc(moment) }}{% endmacro %}
