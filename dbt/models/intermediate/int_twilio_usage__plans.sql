select
    nullif(trim(plan_id), '') as plan_id,
    coalesce(nullif(trim(name), ''), trim(plan_id)) as name,
    cast({{ exact('monthly_price') }} as {{ type_factor(18, 6) }}) as monthly_price,
    nullif(upper(trim(currency)), '') as price_unit,
    cast(coalesce({{ exact('markup_percent') }}, 0) as {{ type_factor(18, 6) }}) as markup_percent
from {{ input('plans') }}
