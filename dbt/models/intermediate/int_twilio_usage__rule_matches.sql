{{ config(materialized='table') }}

-- The rules are matched with kinds of costs, which are few, and not with each cost.
select
    kinds.account_sid,
    kinds.service,
    kinds.category,
    rules.rule_id,
    rules.priority,
    rules.owner,
    rules.cost_center,
    rules.weight,
    rules.valid_from,
    rules.valid_to
from (
    select distinct account_sid, service, category
    from {{ ref('twilio_usage', 'int_twilio_usage__cost_by_month') }}
) as kinds
inner join {{ ref('twilio_usage', 'int_twilio_usage__allocation_rules') }} as rules
    on (rules.account_sid is null or rules.account_sid = kinds.account_sid)
    and (rules.service is null or rules.service = kinds.service)
    and (
        rules.category_pattern is null
        or {{ plain_text('lower(kinds.category)') }} like rules.category_pattern
    )
    and rules.weight > 0
    and rules.valid_from <= rules.valid_to
