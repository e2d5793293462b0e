-- The amounts of each invoice are those of its lines, and the usage is the totalprice of its days.
select
    invoice_id,
    currency,
    sum(invoice_amount) as invoice_difference,
    sum(usage_amount) as usage_difference
from (
    select invoice_id, currency, invoice_amount, usage_amount
    from {{ ref('twilio_usage', 'invoice_reconciliation') }}
    union all
    select trim(invoice_id), upper(trim(currency)), -{{ exact('amount') }}, 0
    from {{ input('invoice_lines') }}
    union all
    select days.invoice_id, days.price_unit, 0, -totals.total
    from {{ ref('twilio_usage', 'int_twilio_usage__invoice_days') }} as days
    inner join {{ ref('twilio_usage', 'reconciliation') }} as totals
        on days.account_sid = totals.account_sid
        and days.start_date = totals.start_date
        and days.price_unit = totals.price_unit
) as entries
group by invoice_id, currency
having sum(invoice_amount) <> 0 or sum(usage_amount) <> 0
