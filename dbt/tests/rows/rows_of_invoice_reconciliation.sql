{{ twilio_usage.test_grain(
    ref('twilio_usage', 'invoice_reconciliation'),
    columns=['invoice_id', 'currency', 'item_group', 'reason'],
    never_null=[
        'invoice_id', 'item_group', 'reason', 'invoice_amount', 'usage_amount', 'difference',
    ],
    one_of={'reason': ['rounding', 'tax', 'credit', 'not_in_api', 'late', 'unexplained']},
) }}
