select
    costs.account_sid,
    accounts.friendly_name,
    costs.month,
    costs.price_unit,
    sum(costs.cost) as cost
from {{ ref('int_twilio_usage__cost_by_month') }} as costs
left join {{ ref('stg_twilio_usage__accounts') }} as accounts on costs.account_sid = accounts.account_sid
group by costs.account_sid, accounts.friendly_name, costs.month, costs.price_unit
