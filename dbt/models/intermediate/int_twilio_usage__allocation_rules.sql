select
    nullif(trim(rule_id), '') as rule_id,
    coalesce(cast(priority as {{ dbt.type_int() }}), 1000000) as priority,
    nullif(trim(account_sid), '') as account_sid,
    nullif(trim(service), '') as service,
    {{ pattern("nullif(lower(trim(category)), '')") }} as category_pattern,
    nullif(trim(owner), '') as owner,
    nullif(trim(cost_center), '') as cost_center,
    cast(coalesce(weight, 1) as {{ type_factor(18, 6) }}) as weight,
    {{ valid_from('valid_from') }} as valid_from,
    {{ valid_to('valid_to') }} as valid_to
from {{ input('allocation_rules') }}
