with months as (
    select
        account_sid,
        category,
        month,
        usage_unit,
        price_unit,
        sum(cost) as cost,
        sum(quantity) as quantity
    from {{ ref('twilio_usage', 'int_twilio_usage__cost_by_month') }}
    group by account_sid, category, month, usage_unit, price_unit
),

pairs as (
    select
        months.*,
        -- A category that is new to an account cost nothing in the month before.
        coalesce(
            last_month.cost,
            case when months.month > min(months.month) over (partition by months.account_sid) then 0 end
        ) as cost_before,
        months.quantity - last_month.quantity as more,
        -- Of less than this there is no meaningful cost of a unit: all of a change is one of volume.
        case
            when last_month.quantity >= 0.0001
                then cast(last_month.cost / nullif(last_month.quantity, 0) as {{ type_factor(24, 12) }})
        end as unit_cost_before
    from months
    left join months as last_month
        on months.account_sid = last_month.account_sid
        and months.category = last_month.category
        and months.month = cast({{ dbt.dateadd('month', 1, 'last_month.month') }} as date)
        and coalesce(months.usage_unit, '') = coalesce(last_month.usage_unit, '')
        and coalesce(months.price_unit, '') = coalesce(last_month.price_unit, '')
),

changes as (
    select
        pairs.*,
        coalesce(round(more * unit_cost_before, 12), cost - cost_before) as from_volume
    from pairs
)

select
    account_sid,
    category,
    month,
    usage_unit,
    price_unit,
    cost,
    quantity,
    cast(cost / nullif(quantity, 0) as {{ type_exact() }}) as unit_cost,
    cost - cost_before as change_in_cost,
    cast(cost - cost_before - from_volume as {{ type_exact() }}) as change_from_price,
    cast(from_volume as {{ type_exact() }}) as change_from_volume
from changes
