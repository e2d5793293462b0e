{{ twilio_usage.test_grain(
    ref('twilio_usage', 'reconciliation'),
    columns=['account_sid', 'start_date', 'price_unit'],
    never_null=[
        'account_sid', 'start_date', 'total', 'attributed', 'unattributed',
        'unknown_categories', 'unknown_categories_cost',
    ],
) }}
