{{ twilio_usage.test_adds_up_to_the_total(ref('twilio_usage', 'unit_costs'), 'month') }}
