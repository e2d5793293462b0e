select
    rule_id,
    coalesce(cast(priority as {{ dbt.type_int() }}), 1000000) as priority,
    nullif(trim(account_sid), '') as account_sid,
    nullif(trim(service), '') as service,
    {{ pattern("nullif(lower(trim(category)), '')") }} as category_pattern,
    owner,
    nullif(trim(cost_center), '') as cost_center,
    cast(coalesce(weight, 1) as {{ type_factor(18, 6) }}) as weight,
    coalesce(cast(valid_from as date), cast('1000-01-01' as date)) as valid_from,
    coalesce(cast(valid_to as date), cast('2999-12-31' as date)) as valid_to
from {{ input('allocation_rules') }}
