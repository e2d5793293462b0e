{{ twilio_usage.test_grain(
    ref('twilio_usage', 'unit_costs'),
    columns=['account_sid', 'category', 'month', 'usage_unit', 'price_unit'],
    never_null=['account_sid', 'category', 'month', 'cost'],
) }}
