-- Every rule that claims a cost; rank 1 is the first of them, which may have several owners.
with claims as (
    select
        costs.account_sid,
        costs.start_date,
        costs.service,
        costs.category,
        costs.price_unit,
        costs.cost,
        rules.rule_id,
        rules.owner,
        rules.cost_center,
        rules.weight,
        dense_rank() over (
            partition by costs.account_sid, costs.start_date, costs.category, costs.price_unit
            order by rules.priority, rules.rule_id
        ) as rank
    from {{ ref('cost_by_day') }} as costs
    left join {{ ref('int_twilio_usage__allocation_rules') }} as rules
        on (rules.account_sid is null or rules.account_sid = costs.account_sid)
        and (rules.service is null or rules.service = costs.service)
        and (
            rules.category_pattern is null
            or {{ plain_text('lower(costs.category)') }} like rules.category_pattern
        )
        and costs.start_date between rules.valid_from and rules.valid_to
        and rules.weight > 0
    where costs.cost <> 0
),

shares as (
    select
        claims.*,
        case
            when rule_id is null then cost
            else cast(
                round(cost * cast(weight / sum(weight) over (
                    partition by account_sid, start_date, category, price_unit
                ) as {{ type_factor(18, 15) }}), 12) as {{ type_exact() }}
            )
        end as share,
        row_number() over (
            partition by account_sid, start_date, category, price_unit
            order by weight desc, owner, cost_center
        ) as place
    from claims
    where rank = 1
),

-- What rounding leaves goes to the largest share, so that the shares add up to the cost.
exact_shares as (
    select
        shares.*,
        case
            when place = 1 then cost - sum(share) over (
                partition by account_sid, start_date, category, price_unit
            )
            else 0
        end as rounding
    from shares
)

select
    coalesce(owner, 'Unallocated') as owner,
    cost_center,
    account_sid,
    start_date,
    service,
    category,
    price_unit,
    rule_id,
    sum(share + rounding) as cost
from exact_shares
group by owner, cost_center, account_sid, start_date, service, category, price_unit, rule_id
