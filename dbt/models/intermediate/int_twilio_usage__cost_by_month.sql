{{ config(materialized='table') }}

select
    account_sid,
    service,
    category,
    price_unit,
    {{ month_of('start_date') }} as month,
    sum(cost) as cost
from {{ ref('cost_by_day') }}
group by account_sid, service, category, price_unit, {{ month_of('start_date') }}
