select
    nullif(trim(customer_id), '') as customer_id,
    coalesce(nullif(trim(name), ''), trim(customer_id)) as name,
    nullif(trim(account_sid), '') as account_sid,
    nullif(trim(plan_id), '') as plan_id,
    {{ valid_from('valid_from') }} as valid_from,
    {{ valid_to('valid_to') }} as valid_to
from {{ input('customers') }}
