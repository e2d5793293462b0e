with written as (
    select
        trim(invoice_id) as invoice_id,
        cast(period_start as date) as period_start,
        cast(period_end as date) as period_end,
        nullif(trim(account_sid), '') as account,
        coalesce(nullif(trim(item_group), ''), nullif(trim(item), ''), 'Other') as item_group,
        coalesce(nullif(trim(item), ''), '') as item,
        {{ exact('quantity') }} as quantity,
        coalesce({{ exact('amount') }}, 0) as amount,
        upper(trim(currency)) as currency,
        case
            when lower(trim(kind)) in ('tax', 'credit', 'fee') then lower(trim(kind))
            else 'usage'
        end as kind
    from {{ input('invoice_lines') }}
),

item_groups as (
    select
        cast(coalesce(priority, 1000000) as {{ dbt.type_int() }}) as priority,
        {{ pattern("nullif(lower(trim(item_group)), '')") }} as group_pattern,
        {{ pattern("nullif(lower(trim(item)), '')") }} as item_pattern,
        nullif(trim(service), '') as service
    from {{ input('invoice_item_groups') }}
),

names as (
    select distinct item_group, item from written
),

-- The names of services, and those of their categories.
known as (
    select distinct {{ letters('service') }} as name, service, 1 as place
    from {{ ref('twilio_usage', 'stg_twilio_usage__categories') }}
    union all
    select distinct {{ letters('category') }}, service, 2
    from {{ ref('twilio_usage', 'stg_twilio_usage__categories') }}
    union all
    select distinct {{ letters('description') }}, service, 2
    from {{ ref('twilio_usage', 'stg_twilio_usage__categories') }}
    where description is not null
),

claims as (
    select
        names.item_group,
        names.item,
        item_groups.service,
        0 as place,
        item_groups.priority
    from names
    inner join item_groups
        on (
            item_groups.group_pattern is null
            or {{ plain_text('lower(names.item_group)') }} like item_groups.group_pattern
        )
        and (
            item_groups.item_pattern is null
            or {{ plain_text('lower(names.item)') }} like item_groups.item_pattern
        )
    union all
    select names.item_group, names.item, known.service, known.place, 0
    from names
    inner join known on known.name = {{ letters('names.item_group') }}
    union all
    select names.item_group, names.item, known.service, 3, known.place
    from names
    inner join known on known.name = {{ letters('names.item') }}
),

ranked_claims as (
    select
        claims.*,
        row_number() over (
            partition by item_group, item order by place, priority, service
        ) as choice
    from claims
),

-- The SID of an account whose name is its own.
named_accounts as (
    select friendly_name, max(account_sid) as account_sid
    from {{ ref('twilio_usage', 'stg_twilio_usage__accounts') }}
    group by friendly_name
    having count(*) = 1
),

lines as (
    select
        written.*,
        coalesce(
            named_accounts.account_sid,
            case when written.account like 'AC%' and length(written.account) = 34 then written.account end
        ) as account_sid
    from written
    left join named_accounts on written.account = named_accounts.friendly_name
)

select
    lines.invoice_id,
    lines.invoice_id || '-' || cast(row_number() over (
        partition by lines.invoice_id
        order by
            lines.item_group, lines.item, lines.account_sid, lines.kind, lines.currency,
            lines.period_start, lines.amount, lines.quantity
    ) as {{ dbt.type_string() }}) as invoice_detail_id,
    lines.period_start,
    lines.period_end,
    lines.account_sid,
    lines.item_group,
    lines.item,
    lines.quantity,
    lines.amount,
    lines.currency,
    lines.kind,
    ranked_claims.service,
    not (ranked_claims.choice is not null and ranked_claims.service is null) as may_be_in_api,
    {{ exact("case when lines.currency in ('JPY', 'KRW') then '1' else '0.01' end") }} as smallest_unit
from lines
left join ranked_claims
    on lines.item_group = ranked_claims.item_group
    and lines.item = ranked_claims.item
    and ranked_claims.choice = 1
