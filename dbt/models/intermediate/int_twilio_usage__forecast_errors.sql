{{ config(materialized='table') }}

{#- What the same forecast would have missed, at the end of a week and of four. -#}
{% set series = 'partition by series_id order by start_date' %}

select
    account_sid,
    service,
    category,
    price_unit,
    start_date,
    error_of_week,
    case when days_before >= 48 then error_of_4_weeks end as error_of_4_weeks
from (
    select
        account_sid,
        service,
        category,
        price_unit,
        start_date,
        days_before,
        sum(amount - expected) over (
            {{ series }} rows between 6 preceding and current row
        ) as error_of_week,
        sum(amount) over ({{ series }} rows between 27 preceding and current row)
        - 4 * sum(expected) over (
            {{ series }} rows between 27 preceding and 21 preceding
        ) as error_of_4_weeks
    from {{ ref('twilio_usage', 'int_twilio_usage__baselines') }}
    where not is_to_come and coalesce(billing_kind, '') not in ('recurring', 'service_fee')
) as windows
where days_before >= 27
