{{ config(
    materialized='incremental',
    on_schema_change='append_new_columns',
    pre_hook="{{ twilio_usage.delete_changed(
        ['account_sid', 'start_date'], ['int_twilio_usage__allocation_rules']
    ) }}",
) }}
{%- set cost_keys = 'account_sid, start_date, category, price_unit' %}
{%- set kinds = 'account_sid, service, category' %}

with days as (
    {{ missing(['account_sid', 'start_date'], ['int_twilio_usage__allocation_rules']) }}
),

costs as (
    select
        costs.account_sid,
        costs.start_date,
        costs.service,
        costs.category,
        costs.price_unit,
        costs.cost,
        days.version
    from days
    inner join {{ ref('twilio_usage', 'cost_by_day') }} as costs
        on days.account_sid = costs.account_sid and days.start_date = costs.start_date
    where costs.cost <> 0
),

matches as (
    select * from {{ ref('twilio_usage', 'int_twilio_usage__rule_matches') }}
),

-- Within a period, the same rules hold on each day.
periods as (
    select
        {{ kinds }},
        since,
        lead(since) over (partition by {{ kinds }} order by since) as next_since
    from (
        select distinct {{ kinds }}, since
        from (
            select {{ kinds }}, valid_from as since from matches
            union all
            select {{ kinds }}, {{ day_after('valid_to') }} from matches
        ) as ends
    ) as days
),

-- Every rule that claims a cost; rank 1 is the first of them, which may have several owners.
claims as (
    select
        matches.*,
        periods.since,
        periods.next_since,
        dense_rank() over (
            partition by matches.account_sid, matches.service, matches.category, periods.since
            order by matches.priority, matches.rule_id
        ) as rank
    from periods
    inner join matches
        on periods.account_sid = matches.account_sid
        and periods.service = matches.service
        and periods.category = matches.category
        and periods.since between matches.valid_from and matches.valid_to
),

owners as (
    select
        claims.*,
        count(*) over (partition by {{ kinds }}, since) as sharers,
        cast(
            weight / sum(weight) over (partition by {{ kinds }}, since) as {{ type_factor(18, 15) }}
        ) as part,
        row_number() over (
            partition by {{ kinds }}, since order by weight desc, owner, cost_center
        ) as place
    from claims
    where rank = 1
),

owned as (
    select
        costs.*,
        owners.rule_id,
        owners.owner,
        owners.cost_center,
        owners.part,
        owners.place,
        coalesce(owners.sharers, 1) as sharers
    from costs
    left join owners
        on costs.account_sid = owners.account_sid
        and costs.service = owners.service
        and costs.category = owners.category
        and costs.start_date >= owners.since
        and costs.start_date < owners.next_since
),

shares as (
    select
        owned.*,
        cast(round(cost * part, 12) as {{ type_exact() }}) as share
    from owned
    where sharers > 1
),

-- What rounding leaves goes to the largest share, so that the shares add up to the cost.
exact_shares as (
    select
        shares.*,
        case
            when place = 1 then cost - sum(share) over (partition by {{ cost_keys }})
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
    cost,
    version
from owned
where sharers = 1
union all
select
    owner,
    cost_center,
    account_sid,
    start_date,
    service,
    category,
    price_unit,
    rule_id,
    cast(sum(share + rounding) as {{ type_exact() }}),
    max(version)
from exact_shares
group by owner, cost_center, account_sid, start_date, service, category, price_unit, rule_id
