{{ config(materialized='table') }}

-- Only the newest day can be unfinished: it was read on the day itself.
with spans as (
    select
        days.account_sid,
        accounts.friendly_name,
        days.start_date,
        days.as_of,
        days.records,
        days.odd_records,
        days.version,
        max(days.start_date) over (partition by days.account_sid) as newest_day,
        max(days.start_date) over () as newest_day_of_all,
        min(days.start_date) over () as first_day_of_all
    from {{ ref('twilio_usage', 'stg_twilio_usage__days') }} as days
    left join {{ ref('twilio_usage', 'stg_twilio_usage__accounts') }} as accounts
        on days.account_sid = accounts.account_sid
)

select
    account_sid,
    friendly_name,
    start_date,
    min(start_date) over (partition by account_sid) as first_day,
    first_day_of_all,
    max(
        case when cast(as_of as date) > start_date then {{ day_after('start_date') }} else start_date end
    ) over (partition by account_sid) as today,
    newest_day >= {{ days_after('newest_day_of_all', -var('twilio_usage_stale_days')) }} as is_current,
    as_of,
    records,
    odd_records,
    version
from spans
