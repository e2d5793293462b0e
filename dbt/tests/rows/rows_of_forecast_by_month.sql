{{ twilio_usage.test_grain(
    ref('twilio_usage', 'forecast_by_month'),
    columns=['account_sid', 'service', 'price_unit', 'month'],
    never_null=['account_sid', 'service', 'month', 'actual', 'forecast', 'low', 'high', 'method'],
    one_of={'method': [
        'actual', 'weekday means', 'last month', 'weekday means and last month',
        'short history', 'not loaded lately',
    ]},
) }}
