{{ config(materialized='view') }}

select
    account_sid,
    start_date,
    price_unit,
    total,
    attributed,
    unattributed,
    unknown_categories,
    unknown_categories_cost
from {{ ref('twilio_usage', 'int_twilio_usage__day_totals') }}
