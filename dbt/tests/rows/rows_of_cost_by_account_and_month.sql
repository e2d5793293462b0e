{{ twilio_usage.test_grain(
    ref('twilio_usage', 'cost_by_account_and_month'),
    columns=['account_sid', 'month', 'price_unit'],
    never_null=['account_sid', 'month', 'cost'],
) }}
