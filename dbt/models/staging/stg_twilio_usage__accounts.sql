select
    account_sid,
    friendly_name,
    status,
    type,
    owner_account_sid,
    cast(date_created as {{ dbt.type_timestamp() }}) as date_created,
    cast(date_updated as {{ dbt.type_timestamp() }}) as date_updated
from {{ if_loaded('accounts') }}
