select
    records.account_sid,
    accounts.friendly_name,
    {{ month_of('records.start_date') }} as month,
    records.price_unit,
    sum(records.deduplicated_price) as cost
from {{ ref('stg_twilio_usage__usage_records_daily') }} as records
left join {{ ref('stg_twilio_usage__accounts') }} as accounts using (account_sid)
group by 1, 2, 3, 4
