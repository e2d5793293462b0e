-- A rule that claims nothing.
select *
from (
    select
        rule_id,
        owner,
        case
            when rule_id is null then 'no rule_id'
            when owner is null then 'no owner'
            when weight <= 0 then 'weight is not positive'
            when valid_from > valid_to then 'valid_from is after valid_to'
        end as problem
    from {{ ref('twilio_usage', 'int_twilio_usage__allocation_rules') }}
) as rules
where problem is not null
