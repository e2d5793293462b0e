with records as (
    select
        account_sid,
        {{ month_of('start_date') }} as month,
        start_date,
        price_unit,
        attributed + coalesce(unattributed, 0) as cost
    from {{ ref('twilio_usage', 'int_twilio_usage__day_totals') }}
),

loaded_days as (
    select
        account_sid,
        month,
        count(distinct start_date) as days_loaded
    from records
    group by account_sid, month
),

first_days as (
    select
        account_sid,
        min(start_date) as first_day
    from records
    group by account_sid
),

-- The months in which a day is missing between two loaded ones.
gaps as (
    select distinct
        account_sid,
        {{ month_of(day_after('start_date')) }} as month
    from (
        select
            account_sid,
            start_date,
            lead(start_date) over (partition by account_sid order by start_date) as next_day
        from records
    ) as days
    where next_day > {{ day_after('start_date') }}
),

entries as (
    select
        account_sid,
        start_date as month,
        price_unit,
        days_expected,
        monthly_total,
        case when cast(as_of as date) <= end_date then 1 else 0 end as days_open, -- today
        {{ exact('null') }} as daily_total
    from {{ ref('twilio_usage', 'stg_twilio_usage__usage_reconciliation') }}
    union all
    select
        account_sid,
        month,
        price_unit,
        cast(null as {{ dbt.type_int() }}),
        {{ exact('null') }},
        cast(null as {{ dbt.type_int() }}),
        cost
    from records
),

months as (
    select
        account_sid,
        month,
        price_unit,
        max(days_expected) as days_expected,
        max(monthly_total) as monthly_total,
        max(days_open) as days_open,
        coalesce(sum(daily_total), 0) as daily_total
    from entries
    group by account_sid, month, price_unit
),

counted as (
    select
        months.*,
        coalesce(loaded_days.days_loaded, 0) as days_loaded,
        -- Days before the first one that was ever loaded of the account are not missing, but a whole
        -- month with costs is: usage_reconciliation begins in the month in which the load begins.
        case
            when loaded_days.days_loaded is null and months.monthly_total <> 0 then 0
            else greatest(coalesce({{ dbt.datediff('months.month', 'first_days.first_day', 'day') }}, 0), 0)
        end as days_before,
        gaps.month is not null as has_gap,
        first_days.first_day is null and months.monthly_total = 0 as is_unused
    from months
    left join loaded_days
        on months.account_sid = loaded_days.account_sid and months.month = loaded_days.month
    left join gaps on months.account_sid = gaps.account_sid and months.month = gaps.month
    left join first_days on months.account_sid = first_days.account_sid
)

select
    counted.account_sid,
    counted.month,
    counted.price_unit,
    counted.days_expected,
    counted.days_loaded,
    counted.daily_total,
    counted.monthly_total,
    invoices.invoice_total,
    counted.monthly_total - counted.daily_total as difference_monthly,
    invoices.invoice_total - counted.daily_total as difference_invoice,
    case
        when has_gap then 'days_missing'
        when days_expected is null then 'not_compared'
        when is_unused then 'reconciled' -- the tap loads no rows of an account that was never used
        when days_expected - days_loaded - days_before > days_open then 'days_missing'
        when days_open > 0 then 'open'
        when days_loaded < days_expected then 'partial'
        when monthly_total is null then 'month_missing'
        when monthly_total <> daily_total then 'different'
        else 'reconciled'
    end as status
from counted
left join {{ ref('twilio_usage', 'int_twilio_usage__invoice_months') }} as invoices
    on counted.account_sid = invoices.account_sid
    and counted.month = invoices.month
    and counted.price_unit = invoices.price_unit
