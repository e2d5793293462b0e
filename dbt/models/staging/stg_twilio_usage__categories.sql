{{ config(materialized='table') }}
{%- set records = if_loaded('usage_records_daily', usage_needs_it=true) %}
{%- set categories = if_loaded('categories') %}
{%- if not execute or twilio_usage.tables_of('categories') %}

select
    category,
    description,
    parent_category,
    also_included_in,
    service,
    cast(level as {{ dbt.type_int() }}) as level,
    role,
    billing_kind,
    count_unit,
    usage_unit,
    cast(is_known as {{ dbt.type_boolean() }}) as is_known,
    cast(is_reported as {{ dbt.type_boolean() }}) as is_reported,
    confidence,
    cast(counts_in_total as {{ dbt.type_boolean() }}) as counts_in_total
from (
    select
        loaded.*,
        -- Several schemas have the same categories.
        row_number() over (
            partition by category order by is_reported desc, is_known desc, parent_category
        ) as choice
    from (select * from {{ categories }}) as loaded
) as ranked
where choice = 1

{%- else %}
    {%- do log('categories is not loaded: those of usage_records_daily are used', info=true) %}

select
    category,
    max(description) as description,
    max(parent_category) as parent_category,
    cast(null as {{ dbt.type_string() }}) as also_included_in,
    coalesce(max(known_service), 'Other') as service,
    cast(null as {{ dbt.type_int() }}) as level,
    cast(null as {{ dbt.type_string() }}) as role,
    max(billing_kind) as billing_kind,
    max(count_unit) as count_unit,
    max(usage_unit) as usage_unit,
    max(known_service) is not null as is_known,
    true as is_reported,
    cast(null as {{ dbt.type_string() }}) as confidence,
    cast(null as {{ dbt.type_boolean() }}) as counts_in_total
from (
    select
        *,
        -- The tap gives this service to the categories that it does not know, and to no other.
        nullif(service, 'Other') as known_service
    from {{ records }}
) as records
group by category
{%- endif %}
