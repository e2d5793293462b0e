{{ config(materialized='table') }}
{%- set levels = 9 %} {#- The deepest known category is six levels below the total. #}

with parents as (
    select
        category,
        coalesce(max(parent_category), max(parent_in_records)) as parent
    from (
        select
            lower(trim(category)) as category,
            lower(trim(parent_category)) as parent_category,
            cast(null as {{ dbt.type_string() }}) as parent_in_records
        from {{ ref('twilio_usage', 'stg_twilio_usage__categories') }}
        union all
        select
            lower(trim(category)),
            cast(null as {{ dbt.type_string() }}),
            lower(trim(parent_category))
        from (
            select distinct category, parent_category
            from {{ if_loaded('usage_records_daily', usage_needs_it=true) }}
        ) as records
    ) as categories
    group by category
),

chains as (
    select
        parents.category as ancestor_0,
        parents.parent as ancestor_1
        {%- for level in range(2, levels) %},
        parents_{{ level }}.parent as ancestor_{{ level }}
        {%- endfor %}
    from parents
    {%- for level in range(2, levels) %}
    left join parents as parents_{{ level }}
        on {{ 'parents' if level == 2 else 'parents_' ~ (level - 1) }}.parent = parents_{{ level }}.category
    {%- endfor %}
)
{% for level in range(levels) %}
{{ 'union all' if level }}
select
    ancestor_0 as category,
    ancestor_{{ level }} as ancestor
from chains
where ancestor_{{ level }} is not null
{%- endfor %}
