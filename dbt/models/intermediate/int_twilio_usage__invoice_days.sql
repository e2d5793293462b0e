with lines as (
    select * from {{ ref('int_twilio_usage__invoice_lines') }}
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
    select account_sid, owner_account_sid from {{ ref('stg_twilio_usage__accounts') }}
),

members as (
    select distinct invoice_id, currency, account_sid
    from lines
    where account_sid is not null
),

families as (
    select distinct
        members.invoice_id,
        members.currency,
        coalesce(accounts.owner_account_sid, members.account_sid) as main_account_sid
    from members
    left join accounts on members.account_sid = accounts.account_sid
),

days as (
    select distinct
        costs.account_sid,
        costs.start_date,
        costs.price_unit,
        coalesce(accounts.owner_account_sid, costs.account_sid) as main_account_sid
    from {{ ref('int_twilio_usage__day_totals') }} as costs
    inner join invoices
        on costs.price_unit = invoices.currency
        and costs.start_date between invoices.period_start and invoices.period_end
    left join accounts on costs.account_sid = accounts.account_sid
),

possible as (
    select
        days.account_sid,
        days.start_date,
        days.price_unit,
        invoices.invoice_id,
        invoices.usage_amount,
        case
            when members.account_sid is not null then 1
            when families.main_account_sid is not null then 2
            else 3
        end as place,
        count(*) over (
            partition by days.account_sid, days.start_date, days.price_unit
        ) as candidates
    from days
    inner join invoices
        on days.price_unit = invoices.currency
        and days.start_date between invoices.period_start and invoices.period_end
    left join members
        on invoices.invoice_id = members.invoice_id
        and invoices.currency = members.currency
        and days.account_sid = members.account_sid
    left join families
        on invoices.invoice_id = families.invoice_id
        and invoices.currency = families.currency
        and days.main_account_sid = families.main_account_sid
),

ranked as (
    select
        possible.*,
        row_number() over (
            partition by account_sid, start_date, price_unit
            order by place, usage_amount desc, invoice_id
        ) as choice
    from possible
    where place < 3 or candidates = 1
)

select invoice_id, account_sid, start_date, price_unit
from ranked
where choice = 1
