{% test unique_together(model, columns) %}
{%- set names = [] -%}
{%- for column in columns %}{% do names.append(named(column)) %}{% endfor -%}
select {{ names | join(', ') }}
from {{ model }}
group by {{ names | join(', ') }}
having count(*) > 1
{% endtest %}
