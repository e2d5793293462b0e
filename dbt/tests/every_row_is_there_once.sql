-- Each loaded row is in cost_by_day, once, with its category, service and cost.
with built as (
    select
        account_sid,
        start_date,
        sum(records) as records,
        sum(categories) as categories
    from {{ ref('twilio_usage', 'int_twilio_usage__day_totals') }}
    group by account_sid, start_date
),

compared as (
    select
        coalesce(days.account_sid, built.account_sid) as account_sid,
        coalesce(days.start_date, built.start_date) as start_date,
        case
            when days.odd_records > 0 then 'a row without category, service, cost or role'
            when built.records is null then 'the day is not in cost_by_day'
            when days.records is null then 'the day is not loaded'
            when built.categories <> built.records then 'a category has two rows'
            when built.records <> days.records then 'rows are missing, or there are too many'
        end as problem
    from {{ ref('twilio_usage', 'int_twilio_usage__loaded_days') }} as days
    full outer join built
        on days.account_sid = built.account_sid and days.start_date = built.start_date
)

select *
from compared
where problem is not null
