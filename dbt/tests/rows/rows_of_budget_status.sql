{{ twilio_usage.test_grain(
    ref('twilio_usage', 'budget_status'),
    columns=['budget_id', 'period_start', 'currency'],
    never_null=[
        'budget_id', 'scope', 'period', 'period_start', 'period_end', 'currency', 'actual',
        'forecast', 'forecast_low', 'forecast_high', 'percent_of_period', 'status',
    ],
    one_of={'status': ['ok', 'at_risk', 'over', 'no_budget']},
) }}
