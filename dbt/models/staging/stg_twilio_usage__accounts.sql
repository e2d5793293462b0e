select
    account_sid,
    friendly_name,
    status,
    type,
    owner_account_sid,
    {{ utc('date_created') }} as date_created,
    {{ utc('date_updated') }} as date_updated
from {{ if_loaded('accounts') }}
