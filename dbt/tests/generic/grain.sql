{#-
    There is one row for each value of the columns, others are never null, and others are one of some texts.
    With `newest`, of a large table that a build only adds days to, the last six weeks are tested, and all days
    with --full-refresh. A model without a prefix is tested by a file in tests/rows: in a project with another
    model of its name, dbt gives that one to a test in a yml.
-#}
{% test grain(model, columns=[], never_null=[], newest=false, one_of={}) %}
{%- set names = [] -%}
{%- for column in columns %}{% do names.append(named(column)) %}{% endfor -%}
{%- set problems = {} -%}
{%- for column in never_null -%}
    {%- do problems.update({column ~ ' is null': column ~ ' is null'}) -%}
{%- endfor -%}
{%- for column, values in one_of.items() -%}
    {%- do problems.update({'another ' ~ column: column ~ " not in ('" ~ (values | join("', '")) ~ "')"}) -%}
{%- endfor -%}
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
{%- if columns and problems %}
union all
{%- endif %}
{%- if problems %}
select
    case
        {%- for problem, condition in problems.items() %}
        when {{ condition }} then '{{ problem }}'
        {%- endfor %}
    end as problem{{ ',' if columns }}
    {{ names | join(', ') }}
from {{ tested }} {{ 'and' if newest and not flags.FULL_REFRESH else 'where' }} (
    {%- for condition in problems.values() %}
    {{ condition }}{{ ' or' if not loop.last }}
    {%- endfor %}
)
{%- endif %}
{% endtest %}
