with lines as (
    select
        *,
        coalesce(service, item_group) as compared_group
    from {{ ref('twilio_usage', 'int_twilio_usage__invoice_lines') }}
),

periods as (
    select
        invoice_id,
        currency,
        min(period_start) as period_start,
        max(period_end) as period_end
    from lines
    group by invoice_id, currency
),

days as (
    select * from {{ ref('twilio_usage', 'int_twilio_usage__invoice_days') }}
),

-- What Twilio's own records of the months have more than the days.
late as (
    select
        days.invoice_id,
        days.price_unit as currency,
        sum(months.difference_monthly) as late_amount
    from {{ ref('twilio_usage', 'reconciliation_by_month') }} as months
    inner join days
        on months.account_sid = days.account_sid
        and months.month = days.start_date
        and months.price_unit = days.price_unit
    inner join periods
        on days.invoice_id = periods.invoice_id and days.price_unit = periods.currency
    where months.status = 'different'
        and cast({{ dbt.dateadd('month', 1, 'months.month') }} as date)
            <= {{ day_after('periods.period_end') }}
    group by days.invoice_id, days.price_unit
),

entries as (
    select
        invoice_id,
        currency,
        compared_group as item_group,
        case when kind = 'tax' then amount else 0 end as tax,
        case when kind = 'credit' then amount else 0 end as credit,
        case when kind = 'fee' then amount else 0 end as fee,
        case when kind = 'usage' and may_be_in_api then amount else 0 end as charged,
        case when kind = 'usage' and not may_be_in_api then amount else 0 end as apart,
        {{ exact('0') }} as usage_amount,
        -- Twilio does not say how it rounds a line.
        case
            when kind = 'fee' or (kind = 'usage' and may_be_in_api) then smallest_unit else 0
        end as most_rounding
    from lines
    union all
    select
        days.invoice_id,
        days.price_unit,
        costs.service,
        0,
        0,
        0,
        0,
        0,
        costs.cost,
        0
    from {{ ref('twilio_usage', 'cost_by_day') }} as costs
    inner join days
        on costs.account_sid = days.account_sid
        and costs.start_date = days.start_date
        and costs.price_unit = days.price_unit
    where costs.cost <> 0
),

sums as (
    select
        invoice_id,
        currency,
        item_group,
        sum(tax) as tax,
        sum(credit) as credit,
        sum(fee) as fee,
        -- Many accounts have no Flex in the API at all.
        case
            when item_group = 'Flex' and sum(usage_amount) = 0 then 0 else sum(charged)
        end as charged,
        case
            when item_group = 'Flex' and sum(usage_amount) = 0 then sum(apart) + sum(charged)
            else sum(apart)
        end as apart,
        sum(usage_amount) as usage_amount,
        sum(most_rounding) as most_rounding
    from entries
    group by invoice_id, currency, item_group
),

differences as (
    select
        sums.*,
        sums.charged + sums.fee - sums.usage_amount as open_difference,
        coalesce(late.late_amount, 0) as late_amount,
        -- Only a difference in the direction of what is late can be explained by it.
        case
            when late.late_amount > 0 and sums.charged + sums.fee > sums.usage_amount
                then sums.charged + sums.fee - sums.usage_amount
            when late.late_amount < 0 and sums.charged + sums.fee < sums.usage_amount
                then sums.usage_amount - sums.charged - sums.fee
            else 0
        end as explainable
    from sums
    left join late on sums.invoice_id = late.invoice_id and sums.currency = late.currency
),

-- What is late goes to the group whose difference it is, else to those with the largest ones.
ranked as (
    select
        differences.*,
        row_number() over (
            partition by invoice_id, currency
            order by
                case
                    when explainable > 0 and abs(open_difference - late_amount) <= most_rounding then 0
                    else 1
                end,
                explainable desc,
                item_group
        ) as place
    from differences
),

before_each as (
    select
        ranked.*,
        abs(late_amount) - coalesce(sum(explainable) over (
            partition by invoice_id, currency
            order by place rows between unbounded preceding and 1 preceding
        ), 0) as still_late,
        coalesce(sum(most_rounding) over (
            partition by invoice_id, currency
            order by place rows between unbounded preceding and 1 preceding
        ), 0) as rounding_before
    from ranked
),

late_parts as (
    select
        before_each.*,
        case
            when explainable = 0 or still_late <= rounding_before then 0
            when explainable >= still_late or still_late - explainable <= most_rounding then still_late
            else explainable
        end as late_part
    from before_each
),

signed_parts as (
    select
        late_parts.*,
        case when late_amount < 0 then -late_part else late_part end as late_difference
    from late_parts
),

-- A fee is one that came late, or one of the invoice, which the API does not have.
fees as (
    select
        signed_parts.*,
        case
            when abs(open_difference - late_difference) <= most_rounding then 0
            when abs(open_difference - late_difference - fee) <= most_rounding then fee
            when fee > 0 and late_difference > 0 and late_difference >= fee then 0
            when fee > 0 and late_difference > 0 then fee - late_difference
            else fee
        end as own_fee
    from signed_parts
),

rests as (
    select
        fees.*,
        open_difference - late_difference - own_fee as rest
    from fees
),

parts as (
    select
        rests.*,
        apart + own_fee as not_in_api,
        case when abs(rest) <= most_rounding then rest else 0 end as rounding,
        case when abs(rest) <= most_rounding then 0 else rest end as unexplained
    from rests
),

reasons as (
    select 'tax' as reason
    union all
    select 'credit'
    union all
    select 'not_in_api'
    union all
    select 'late'
    union all
    select 'unexplained'
    union all
    select 'rounding'
),

amounts as (
    select
        parts.invoice_id,
        parts.currency,
        parts.item_group,
        reasons.reason,
        case reasons.reason
            when 'tax' then tax
            when 'credit' then credit
            when 'not_in_api' then not_in_api
            when 'late' then greatest(late_difference, 0)
            when 'unexplained' then greatest(unexplained, 0)
            else charged + fee - own_fee - greatest(late_difference, 0) - greatest(unexplained, 0)
        end as invoice_amount,
        case reasons.reason
            when 'late' then greatest(-late_difference, 0)
            when 'unexplained' then greatest(-unexplained, 0)
            when 'rounding'
                then usage_amount - greatest(-late_difference, 0) - greatest(-unexplained, 0)
            else 0
        end as usage_amount
    from parts
    cross join reasons
)

select
    amounts.invoice_id,
    periods.period_start,
    periods.period_end,
    amounts.currency,
    amounts.item_group,
    amounts.reason,
    cast(amounts.invoice_amount as {{ type_exact() }}) as invoice_amount,
    cast(amounts.usage_amount as {{ type_exact() }}) as usage_amount,
    cast(amounts.invoice_amount - amounts.usage_amount as {{ type_exact() }}) as difference
from amounts
inner join periods
    on amounts.invoice_id = periods.invoice_id and amounts.currency = periods.currency
where amounts.invoice_amount <> 0 or amounts.usage_amount <> 0
