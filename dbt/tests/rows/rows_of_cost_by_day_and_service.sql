{{ twilio_usage.test_grain(
    ref('twilio_usage', 'cost_by_day_and_service'),
    columns=['start_date', 'service', 'price_unit'],
    never_null=['start_date', 'service', 'cost'],
) }}
