with lines as (
    select
        lines.*,
        coalesce(accounts.owner_account_sid, lines.account_sid) as main_account_sid
    from {{ ref('twilio_usage', 'int_twilio_usage__invoice_lines') }} as lines
    left join {{ ref('twilio_usage', 'stg_twilio_usage__accounts') }} as accounts
        on lines.account_sid = accounts.account_sid
),

-- A line of an account that has no SID belongs to the main account of the invoice's other lines.
main_accounts as (
    select invoice_id, max(main_account_sid) as account_sid
    from lines
    group by invoice_id
    having min(main_account_sid) = max(main_account_sid)
)

select
    lines.invoice_id as {{ focus('InvoiceId') }},
    lines.invoice_detail_id as {{ focus('InvoiceDetailId') }},
    'Twilio' as {{ focus('InvoiceIssuerName') }},
    coalesce(lines.main_account_sid, main_accounts.account_sid) as {{ focus('BillingAccountId') }},
    {{ midnight(month_of('lines.period_start')) }} as {{ focus('BillingPeriodStart') }},
    {{ midnight(months_after(month_of('lines.period_end'), 1)) }} as {{ focus('BillingPeriodEnd') }},
    case lines.kind
        when 'tax' then 'Tax'
        when 'credit' then 'Credit'
        when 'fee' then 'Purchase'
        else 'Usage'
    end as {{ focus('ChargeCategory') }},
    case when lines.item = '' then lines.item_group else lines.item_group || ': ' || lines.item end
        as {{ focus('InvoiceDetailDescription') }},
    {{ json_object({
        'ServiceName': 'lines.service',
        'SubAccountId': 'case when lines.account_sid <> lines.main_account_sid then lines.account_sid end',
        'x_ItemGroup': 'lines.item_group',
        'x_Item': "nullif(lines.item, '')",
    }) }} as {{ focus('InvoiceDetailGrain') }},
    lines.amount as {{ focus('BilledCost') }},
    lines.currency as {{ focus('BillingCurrency') }},
    'Issued' as {{ focus('InvoiceIssueStatus') }},
    lines.invoice_id as {{ focus('ReferenceInvoiceId') }},
    -- The files of an invoice have none of these; a line is there once its period is over.
    cast(null as {{ dbt.type_timestamp() }}) as {{ focus('InvoiceIssueDate') }},
    cast(null as {{ dbt.type_timestamp() }}) as {{ focus('PaymentDueDate') }},
    cast(nullif({{ dbt.string_literal(dbt.escape_single_quotes(var('twilio_usage_payment_terms'))) }}, '')
        as {{ dbt.type_string() }}) as {{ focus('PaymentTerms') }},
    {{ midnight(day_after('lines.period_end')) }} as {{ focus('InvoiceDetailCreated') }},
    {{ midnight(day_after('lines.period_end')) }} as {{ focus('InvoiceDetailLastUpdated') }},
    lines.quantity as {{ focus('x_Quantity') }}
from lines
left join main_accounts on lines.invoice_id = main_accounts.invoice_id
