with months as (
    select
        {{ month_of('start_date') }} as month,
        max(as_of) as as_of
    from {{ ref('twilio_usage', 'int_twilio_usage__loaded_days') }}
    group by {{ month_of('start_date') }}
)

select
    {{ midnight('month') }} as {{ focus('BillingPeriodStart') }},
    {{ midnight(months_after('month', 1)) }} as {{ focus('BillingPeriodEnd') }},
    case when month < {{ first_open_month() }} then 'Closed' else 'Open' end
        as {{ focus('BillingPeriodStatus') }},
    -- Twilio has no record of a month as such: it is there from its first moment.
    {{ midnight('month') }} as {{ focus('BillingPeriodCreated') }},
    coalesce(as_of, {{ midnight('month') }}) as {{ focus('BillingPeriodLastUpdated') }},
    'Twilio' as {{ focus('InvoiceIssuerName') }}
from months
