select
    billing_group_id,
    product_category,
    product_name,
    cast(start_date as date) as start_date,
    cast(end_date as date) as end_date,
    {{ exact('usage') }} as usage,
    usage_unit,
    {{ exact('price') }} as price,
    nullif(upper(trim(price_unit)), '') as price_unit,
    cast(as_of as date) as as_of
from {{ if_loaded('billing_group_records') }}
