-- Price and volume explain the whole change in cost, to the last decimal.
select *
from {{ ref('twilio_usage', 'unit_costs') }}
where change_from_price + change_from_volume <> change_in_cost
