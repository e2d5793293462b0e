{{ config(materialized='table') }}

-- Only the newest day can be unfinished: it was read on the day itself.
with days as (
    select
        account_sid,
        start_date,
        max(as_of) as as_of
    from {{ ref('stg_twilio_usage__usage_records_daily') }}
    group by account_sid, start_date
),

spans as (
    select
        days.*,
        max(start_date) over (partition by account_sid) as newest_day,
        max(start_date) over () as newest_day_of_all,
        min(start_date) over () as first_day_of_all
    from days
)

select
    account_sid,
    start_date,
    min(start_date) over (partition by account_sid) as first_day,
    first_day_of_all,
    max(
        case when cast(as_of as date) > start_date then {{ day_after('start_date') }} else start_date end
    ) over (partition by account_sid) as today,
    newest_day >= {{ days_after('newest_day_of_all', -var('twilio_usage_stale_days')) }} as is_current
from spans
