with lines as (
    select
        {{ month_of('period_start') }} as month,
        account_sid,
        currency,
        amount,
        period_start,
        period_end
    from {{ ref('twilio_usage', 'int_twilio_usage__invoice_lines') }}
    where kind in ('usage', 'fee')
        and may_be_in_api
        and {{ month_of('period_start') }} = {{ month_of('period_end') }}
),

loaded as (
    select distinct account_sid from {{ ref('twilio_usage', 'int_twilio_usage__day_totals') }}
),

-- The account that has the usage of all, where only one is loaded.
only_account as (
    select case when count(*) = 1 then max(account_sid) end as account_sid
    from loaded
),

placed as (
    select
        lines.month,
        lines.currency,
        lines.amount,
        lines.period_start,
        lines.period_end,
        coalesce(loaded.account_sid, owners.account_sid, only_account.account_sid) as account_sid
    from lines
    left join {{ ref('twilio_usage', 'stg_twilio_usage__accounts') }} as accounts
        on lines.account_sid = accounts.account_sid
    left join loaded on lines.account_sid = loaded.account_sid
    left join loaded as owners on accounts.owner_account_sid = owners.account_sid
    cross join only_account
)

select
    account_sid,
    month,
    currency as price_unit,
    sum(amount) as invoice_total
from placed
where account_sid is not null
group by account_sid, month, currency
-- An invoice of a part of the month cannot be compared with all of it.
having min(period_start) = month and {{ day_after('max(period_end)') }} = {{ months_after('month', 1) }}
