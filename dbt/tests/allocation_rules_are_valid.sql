-- A rule that claims nothing, or of which some rows claim nothing, because others come first.
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
            when priority > first_priority then 'another row of the rule has a lower priority'
        end as problem
    from (
        select
            rules.*,
            min(priority) over (partition by rule_id) as first_priority
        from {{ ref('twilio_usage', 'int_twilio_usage__allocation_rules') }} as rules
    ) as ranked
) as rules
where problem is not null
