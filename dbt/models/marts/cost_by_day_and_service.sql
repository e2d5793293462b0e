select
    start_date,
    service,
    price_unit,
    sum(deduplicated_price) as cost
from {{ ref('stg_twilio_usage__usage_records_daily') }}
group by start_date, service, price_unit
