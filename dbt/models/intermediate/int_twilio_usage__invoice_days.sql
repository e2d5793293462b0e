with lines as (
    select * from {{ ref('twilio_usage', 'int_twilio_usage__invoice_lines') }}
),

invoices as (
    select
        invoice_id,
        currency,
        min(period_start) as period_start,
        max(period_end) as period_end,
        sum(case when kind = 'usage' then amount else 0 end) as usage_amount
    from lines
    group by invoice_id, currency
),

-- The main account is its own owner, as in Twilio.
accounts as (
    select account_sid, owner_account_sid from {{ ref('twilio_usage', 'stg_twilio_usage__accounts') }}
),

members as (
    select
        lines.invoice_id,
        lines.currency,
        lines.account_sid,
        coalesce(max(accounts.owner_account_sid), lines.account_sid) = lines.account_sid as is_main,
        min(lines.period_start) as period_start,
        max(lines.period_end) as period_end
    from lines
    left join accounts on lines.account_sid = accounts.account_sid
    where lines.account_sid is not null
    group by lines.invoice_id, lines.currency, lines.account_sid
),

days as (
    select distinct
        costs.account_sid,
        costs.start_date,
        costs.price_unit,
        coalesce(accounts.owner_account_sid, costs.account_sid) as main_account_sid
    from {{ ref('twilio_usage', 'int_twilio_usage__day_totals') }} as costs
    inner join invoices
        on costs.price_unit = invoices.currency
        and costs.start_date between invoices.period_start and invoices.period_end
    left join accounts on costs.account_sid = accounts.account_sid
),

loaded as (
    select distinct account_sid from days
),

-- An invoice that has lines of loaded subaccounts only is that of no other account.
of_others as (
    select
        invoices.*,
        coalesce(max(case when members.is_main then 1 else 0 end), 0) = 1
        or count(loaded.account_sid) = 0 as may_have_others
    from invoices
    left join members
        on invoices.invoice_id = members.invoice_id and invoices.currency = members.currency
    left join loaded on members.account_sid = loaded.account_sid
    group by
        invoices.invoice_id,
        invoices.currency,
        invoices.period_start,
        invoices.period_end,
        invoices.usage_amount
),

possible as (
    select
        days.account_sid,
        days.start_date,
        days.price_unit,
        invoices.invoice_id,
        invoices.usage_amount,
        case
            when days.start_date between members.period_start and members.period_end then 1
            when mains.account_sid is not null then 2
            when members.account_sid is null and invoices.may_have_others then 3
            else 4
        end as place,
        count(*) over (
            partition by days.account_sid, days.start_date, days.price_unit
        ) as candidates
    from days
    inner join of_others as invoices
        on days.price_unit = invoices.currency
        and days.start_date between invoices.period_start and invoices.period_end
    left join members
        on invoices.invoice_id = members.invoice_id
        and invoices.currency = members.currency
        and days.account_sid = members.account_sid
    left join members as mains
        on invoices.invoice_id = mains.invoice_id
        and invoices.currency = mains.currency
        and days.main_account_sid = mains.account_sid
        and days.start_date between mains.period_start and mains.period_end
),

ranked as (
    select
        possible.*,
        row_number() over (
            partition by account_sid, start_date, price_unit
            order by place, usage_amount desc, invoice_id
        ) as choice
    from possible
    where place < 3 or (place = 3 and candidates = 1)
)

select invoice_id, account_sid, start_date, price_unit
from ranked
where choice = 1
