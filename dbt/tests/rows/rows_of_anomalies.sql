{{ twilio_usage.test_grain(
    ref('twilio_usage', 'anomalies'),
    columns=['account_sid', 'service', 'category', 'start_date', 'price_unit'],
    never_null=[
        'account_sid', 'category', 'start_date', 'cost', 'expected', 'low', 'high',
        'excess_cost', 'kind',
    ],
    one_of={'kind': ['spike', 'drop', 'new_category', 'price_change']},
) }}
