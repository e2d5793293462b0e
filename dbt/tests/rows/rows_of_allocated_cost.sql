{{ twilio_usage.test_grain(
    ref('twilio_usage', 'allocated_cost'),
    columns=['owner', 'cost_center', 'account_sid', 'start_date', 'category', 'price_unit'],
    never_null=['owner', 'account_sid', 'start_date', 'service', 'category', 'cost'],
    newest=true,
) }}
