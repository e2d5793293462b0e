{{ twilio_usage.test_grain(
    ref('twilio_usage', 'plan_usage'),
    columns=['customer_id', 'month', 'plan_id', 'category'],
    never_null=['month', 'plan_id', 'category', 'included', 'used', 'remaining', 'overage'],
) }}
