select
    records.account_sid,
    accounts.friendly_name,
    records.start_date,
    records.service,
    records.category,
    records.price_unit,
    records.deduplicated_price as cost,
    records.price,
    records.usage,
    records.usage_unit,
    records.count,
    records.billing_kind
from {{ ref('stg_twilio_usage__usage_records_daily') }} as records
left join {{ ref('stg_twilio_usage__accounts') }} as accounts
    on records.account_sid = accounts.account_sid
