{{ twilio_usage.test_grain(
    ref('twilio_usage', 'focus_cost_and_usage_allocated'),
    columns=['x_AccountSid', 'x_Category', 'ChargePeriodStart', 'x_Owner', 'x_CostCenter'],
) }}
