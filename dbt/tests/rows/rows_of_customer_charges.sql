{{ twilio_usage.test_grain(
    ref('twilio_usage', 'customer_charges'),
    columns=['customer_id', 'month', 'price_unit', 'line', 'plan_id', 'item'],
    never_null=['month', 'line', 'quantity', 'unit_price', 'amount', 'cost', 'is_closed'],
    one_of={'line': ['plan', 'overage', 'usage', 'markup', 'adjustment', 'unassigned']},
) }}
