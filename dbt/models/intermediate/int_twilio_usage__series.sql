{{ config(materialized='table') }}

{#- Joining and sorting many days by a number is faster than by four texts. -#}
{% set series = 'account_sid, service, category, price_unit' %}

select
    row_number() over (order by {{ series }}) as series_id,
    {{ series }}
from (
    select distinct {{ series }} from {{ ref('twilio_usage', 'int_twilio_usage__cost_by_month') }}
) as kinds
