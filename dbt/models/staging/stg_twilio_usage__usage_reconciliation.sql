select
    account_sid,
    cast(start_date as date) as start_date,
    cast(end_date as date) as end_date,
    nullif(upper(trim(price_unit)), '') as price_unit,
    cast(days_expected as {{ dbt.type_int() }}) as days_expected,
    cast(days_reported as {{ dbt.type_int() }}) as days_reported,
    {{ exact('daily_total') }} as daily_total,
    {{ exact('monthly_total') }} as monthly_total,
    {{ exact('difference') }} as difference,
    cast(includes_subaccounts as {{ dbt.type_boolean() }}) as includes_subaccounts,
    {{ utc('as_of') }} as as_of
from {{ if_loaded('usage_reconciliation') }}
