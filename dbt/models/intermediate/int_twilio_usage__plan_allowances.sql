select
    nullif(trim(plan_id), '') as plan_id,
    nullif(lower(trim(category)), '') as category,
    nullif(trim(unit), '') as unit,
    cast({{ exact('included') }} as {{ type_factor(18, 6) }}) as included,
    cast({{ exact('overage_unit_price') }} as {{ type_factor(18, 6) }}) as overage_unit_price
from {{ input('plan_allowances') }}
