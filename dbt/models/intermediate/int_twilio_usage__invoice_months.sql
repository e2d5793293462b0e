with lines as (
    select
        {{ month_of('period_start') }} as month,
        account_sid,
        currency,
        amount
    from {{ ref('int_twilio_usage__invoice_lines') }}
    where kind in ('usage', 'fee')
        and may_be_in_api
        and {{ month_of('period_start') }} = {{ month_of('period_end') }}
),

loaded as (
    select distinct account_sid, price_unit from {{ ref('reconciliation') }}
),

-- The account that has the usage of all, where only one is loaded.
only_accounts as (
    select price_unit, max(account_sid) as account_sid
    from loaded
    group by price_unit
    having count(*) = 1
),

placed as (
    select
        lines.month,
        lines.currency,
        lines.amount,
        coalesce(
            loaded.account_sid,
            loaded_owners.account_sid,
            only_accounts.account_sid
        ) as account_sid
    from lines
    left join {{ ref('stg_twilio_usage__accounts') }} as accounts
        on lines.account_sid = accounts.account_sid
    left join loaded
        on lines.account_sid = loaded.account_sid and lines.currency = loaded.price_unit
    left join loaded as loaded_owners
        on accounts.owner_account_sid = loaded_owners.account_sid
        and lines.currency = loaded_owners.price_unit
    left join only_accounts on lines.currency = only_accounts.price_unit
)

select
    account_sid,
    month,
    currency as price_unit,
    sum(amount) as invoice_total
from placed
where account_sid is not null
group by account_sid, month, currency
