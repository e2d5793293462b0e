{#- Each category with every category inside it, and with itself; the tree has fewer than ten levels. -#}
with categories as (
    select distinct
        lower(category) as category,
        lower(parent_category) as parent_category
    from {{ ref('twilio_usage', 'stg_twilio_usage__categories') }}
    where category is not null
)

select
    category,
    category as inside_category
from categories
{%- for depth in range(1, 10) %}
union all
select
    c{{ depth }}.parent_category,
    c1.category
from categories as c1
{%- for n in range(2, depth + 1) %}
inner join categories as c{{ n }} on c{{ n - 1 }}.parent_category = c{{ n }}.category
{%- endfor %}
where c{{ depth }}.parent_category is not null
{%- endfor %}
