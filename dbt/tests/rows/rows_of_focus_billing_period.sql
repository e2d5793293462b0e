{{ twilio_usage.test_grain(
    ref('twilio_usage', 'focus_billing_period'),
    columns=['BillingPeriodStart', 'InvoiceIssuerName'],
) }}
