select
    category,
    description,
    parent_category,
    also_included_in,
    service,
    level,
    role,
    billing_kind,
    count_unit,
    usage_unit,
    is_known,
    is_reported,
    confidence,
    counts_in_total
from {{ source('twilio_usage', 'categories') }}
