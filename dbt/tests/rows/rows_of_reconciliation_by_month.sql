{{ twilio_usage.test_grain(
    ref('twilio_usage', 'reconciliation_by_month'),
    columns=['account_sid', 'month', 'price_unit'],
    never_null=['account_sid', 'month', 'days_loaded', 'daily_total', 'status'],
    one_of={'status': [
        'days_missing', 'open', 'partial', 'month_missing', 'different', 'reconciled',
        'not_compared',
    ]},
) }}
