{{ twilio_usage.test_grain(
    ref('twilio_usage', 'focus_invoice_detail'),
    columns=['InvoiceId', 'InvoiceDetailId'],
) }}
