select
    records.account_sid,
    cast(records.start_date as date) as start_date,
    cast(records.end_date as date) as end_date,
    records.category,
    records.description,
    records.service,
    records.billing_kind,
    records.parent_category,
    records.dedup_role,
    {{ exact('records.count') }} as count,
    records.count_unit,
    {{ exact('records.usage') }} as usage,
    records.usage_unit,
    {{ exact('records.price') }} as price,
    {{ exact('records.deduplicated_price') }} as deduplicated_price,
    -- As in the tap: a row without a currency gets that of the total, or the only one of the day.
    coalesce(nullif(upper(trim(records.price_unit)), ''), days.price_unit) as price_unit,
    cast(records.counts_in_total as {{ dbt.type_boolean() }}) as counts_in_total,
    cast(records.includes_subaccounts as {{ dbt.type_boolean() }}) as includes_subaccounts,
    {{ utc('records.as_of') }} as as_of
from (select * from {{ if_loaded('usage_records_daily', usage_needs_it=true) }}) as records
left join {{ ref('twilio_usage', 'stg_twilio_usage__days') }} as days
    on records.account_sid = days.account_sid and cast(records.start_date as date) = days.start_date
