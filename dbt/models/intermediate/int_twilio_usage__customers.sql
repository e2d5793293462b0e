select
    nullif(trim(customer_id), '') as customer_id,
    coalesce(nullif(trim(name), ''), trim(customer_id)) as name,
    nullif(trim(account_sid), '') as account_sid,
    nullif(trim(plan_id), '') as plan_id,
    coalesce(cast(valid_from as date), cast('1000-01-01' as date)) as valid_from,
    coalesce(cast(valid_to as date), cast('2999-12-31' as date)) as valid_to
from {{ input('customers') }}
