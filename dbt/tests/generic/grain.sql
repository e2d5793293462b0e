{#-
    There is one row for each value of the columns, and others are never null. With `newest`, of a large
    table that a build only adds days to, the last six weeks are tested, and all days with --full-refresh.
-#}
{% test grain(model, columns=[], never_null=[], newest=false) %}
{%- set names = [] -%}
{%- for column in columns %}{% do names.append(named(column)) %}{% endfor -%}
{%- set tested -%}
    {{ model }}
    {%- if newest and not flags.FULL_REFRESH %}
    where start_date > (select {{ twilio_usage.days_after('max(start_date)', -42) }} from {{ model }})
    {%- endif -%}
{%- endset -%}
{%- if columns %}
select
    'more than one row' as problem,
    {{ names | join(', ') }}
from {{ tested }}
group by {{ names | join(', ') }}
having count(*) > 1
{%- endif %}
{%- if columns and never_null %}
union all
{%- endif %}
{%- if never_null %}
select
    case
        {%- for column in never_null %}
        when {{ column }} is null then '{{ column }} is null'
        {%- endfor %}
    end as problem{{ ',' if columns }}
    {{ names | join(', ') }}
from {{ tested }} {{ 'and' if newest and not flags.FULL_REFRESH else 'where' }} (
    {%- for column in never_null %}
    {{ column }} is null{{ ' or' if not loop.last }}
    {%- endfor %}
)
{%- endif %}
{% endtest %}
