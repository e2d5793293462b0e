select
    costs.account_sid,
    accounts.friendly_name,
    costs.month,
    costs.price_unit,
    sum(costs.cost) as cost
from {{ ref('twilio_usage', 'int_twilio_usage__cost_by_month') }} as costs
left join {{ ref('twilio_usage', 'stg_twilio_usage__accounts') }} as accounts on costs.account_sid = accounts.account_sid
group by costs.account_sid, accounts.friendly_name, costs.month, costs.price_unit
