{{ twilio_usage.test_grain(
    ref('twilio_usage', 'focus_recency'),
    columns=['DatasetInstanceId', 'TimeSectorStart'],
) }}
