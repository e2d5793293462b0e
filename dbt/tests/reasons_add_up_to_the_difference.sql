-- Of each item group: what its lines charge less what the usage of its service costs.
select
    invoice_id,
    currency,
    item_group,
    sum(difference) as difference
from (
    select invoice_id, currency, item_group, difference
    from {{ ref('twilio_usage', 'invoice_reconciliation') }}
    union all
    select invoice_id, currency, coalesce(service, item_group), -amount
    from {{ ref('twilio_usage', 'int_twilio_usage__invoice_lines') }}
    union all
    select days.invoice_id, days.price_unit, costs.service, costs.cost
    from {{ ref('twilio_usage', 'int_twilio_usage__invoice_days') }} as days
    inner join {{ ref('twilio_usage', 'cost_by_day') }} as costs
        on days.account_sid = costs.account_sid
        and days.start_date = costs.start_date
        and days.price_unit = costs.price_unit
) as entries
group by invoice_id, currency, item_group
having sum(difference) <> 0
