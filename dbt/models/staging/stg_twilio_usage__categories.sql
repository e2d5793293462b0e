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
from {{ if_loaded('categories', usage_needs_it=true) }}
