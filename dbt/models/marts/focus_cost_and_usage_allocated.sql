{%- set texts = [
    'BillingAccountId', 'BillingAccountName', 'BillingAccountType', 'SubAccountId',
    'SubAccountName', 'SubAccountType', 'BillingCurrency', 'PricingCurrency', 'ChargeCategory',
    'ChargeFrequency', 'ChargeClass', 'ChargeDescription', 'ConsumedUnit', 'PricingUnit',
    'PricingCategory', 'SkuId', 'SkuPriceId', 'SkuMeter', 'SkuPriceDetails', 'ServiceName',
    'ServiceCategory', 'ServiceSubcategory', 'ServiceProviderName', 'HostProviderName',
    'InvoiceIssuerName', 'RegionId', 'RegionName', 'CommitmentDiscountStatus',
    'x_AccountSid', 'x_Category',
] %}
{%- set moments = [
    'BillingPeriodStart', 'BillingPeriodEnd', 'ChargePeriodStart', 'ChargePeriodEnd', 'x_AsOf',
] %}
{%- set prices = [
    'ListUnitPrice', 'ContractedUnitPrice', 'PricingCurrencyListUnitPrice',
    'PricingCurrencyContractedUnitPrice',
] %}
{%- set costs = [
    'BilledCost', 'EffectiveCost', 'ContractedCost', 'ListCost', 'PricingCurrencyEffectiveCost',
] %}
{%- set quantities = [
    'ConsumedQuantity', 'PricingQuantity',
] %}
{#- Not read, so that a table of an older version of the tap will do. -#}
{%- set nulls = [
    'ResourceId', 'ResourceName', 'ResourceType', 'ContractApplied', 'AllocatedMethodDetails',
    'AllocatedTags',
] %}
{%- set cost_keys = 'account_sid, start_date, category' %}

with charges as (
    select
        {{ focus('x_AccountSid') }} as account_sid,
        cast({{ utc(focus('ChargePeriodStart')) }} as date) as start_date,
        {{ focus('x_Category') }} as category,
        {%- for name in texts %}
        cast({{ focus(name) }} as {{ dbt.type_string() }}) as {{ focus(name) }},
        {%- endfor %}
        {%- for name in moments %}
        {{ utc(focus(name)) }} as {{ focus(name) }},
        {%- endfor %}
        {%- for name in prices + costs + quantities %}
        {{ exact(focus(name)) }} as {{ focus(name) }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ if_loaded('focus_cost_and_usage') }}
),

shares as (
    select
        {{ cost_keys }},
        rule_id,
        case when rule_id is not null then owner end as owner,
        cost_center,
        cost,
        count(*) over (partition by {{ cost_keys }}) as sharers,
        row_number() over (
            partition by {{ cost_keys }} order by cost desc, owner, cost_center
        ) as place
    from {{ ref('twilio_usage', 'allocated_cost') }}
),

-- A line of an invoice is that of a charge if the account has only one for the service.
lines as (
    select
        invoice_id,
        account_sid,
        service,
        min(invoice_detail_id) as invoice_detail_id
    from {{ ref('twilio_usage', 'int_twilio_usage__invoice_lines') }}
    where kind in ('usage', 'fee')
    group by invoice_id, account_sid, service
    having count(*) = 1
),

invoiced as (
    select
        charges.account_sid,
        charges.start_date,
        charges.category,
        days.invoice_id,
        lines.invoice_detail_id
    from charges
    inner join {{ ref('twilio_usage', 'int_twilio_usage__invoice_days') }} as days
        on charges.account_sid = days.account_sid
        and charges.start_date = days.start_date
        and charges.{{ focus('BillingCurrency') }} = upper(days.price_unit)
    left join lines
        on days.invoice_id = lines.invoice_id
        and charges.account_sid = lines.account_sid
        and charges.{{ focus('ServiceName') }} = lines.service
),

-- The costs are those of the shares. A quantity is divided as the cost is.
divided as (
    select
        charges.*,
        invoiced.invoice_id,
        invoiced.invoice_detail_id,
        shares.rule_id,
        shares.owner,
        shares.cost_center,
        coalesce(shares.cost, charges.{{ focus('BilledCost') }}) as cost,
        coalesce(shares.sharers, 1) > 1 as is_shared,
        coalesce(shares.place, 1) as place,
        {{ json_object({'cost_center': 'shares.cost_center', 'owner': 'shares.owner'}) }} as tags,
        {%- for name in quantities %}
        case
            when coalesce(shares.sharers, 1) = 1 then charges.{{ focus(name) }}
            else cast(round(
                charges.{{ focus(name) }} * cast(
                    {{ double('shares.cost') }} / {{ double('charges.' ~ focus('BilledCost')) }}
                    as {{ type_factor(18, 15) }}
                ), 12
            ) as {{ type_exact() }})
        end as part_{{ loop.index }}{{ ',' if not loop.last }}
        {%- endfor %}
    from charges
    left join shares
        on charges.account_sid = shares.account_sid
        and charges.start_date = shares.start_date
        and charges.category = shares.category
    left join invoiced
        on charges.account_sid = invoiced.account_sid
        and charges.start_date = invoiced.start_date
        and charges.category = invoiced.category
)

select
    {%- for name in texts + moments + prices if name[:2] != 'x_' %}
    {{ focus(name) }},
    {%- endfor %}
    invoice_id as {{ focus('InvoiceId') }},
    {{ focus('ServiceProviderName') }} as {{ focus('ProviderName') }},
    {{ focus('HostProviderName') }} as {{ focus('PublisherName') }},
    {%- for name in costs %}
    cost as {{ focus(name) }},
    {%- endfor %}
    {%- for name in quantities %}
    -- What rounding leaves goes to the largest share.
    cast(part_{{ loop.index }} + case
        when is_shared and place = 1 then
            {{ focus(name) }} - sum(part_{{ loop.index }}) over (partition by {{ cost_keys }})
        else 0
    end as {{ type_exact() }}) as {{ focus(name) }},
    {%- endfor %}
    tags as {{ focus('Tags') }},
    case when is_shared then rule_id end as {{ focus('AllocatedMethodId') }},
    case when is_shared then owner || coalesce('/' || cost_center, '') end
        as {{ focus('AllocatedResourceId') }},
    case when is_shared then owner end as {{ focus('AllocatedResourceName') }},
    {%- for name in nulls %}
    cast(null as {{ dbt.type_string() }}) as {{ focus(name) }},
    {%- endfor %}
    {%- for name in texts + moments if name[:2] == 'x_' %}
    {{ focus(name) }},
    {%- endfor %}
    invoice_detail_id as {{ focus('x_InvoiceDetailId') }},
    owner as {{ focus('x_Owner') }},
    cost_center as {{ focus('x_CostCenter') }},
    rule_id as {{ focus('x_RuleId') }}
from divided
