-- A rule without an owner, without a positive weight or that ends before it begins claims nothing.
select *
from {{ ref('int_twilio_usage__allocation_rules') }}
where owner is null or weight <= 0 or valid_from > valid_to
