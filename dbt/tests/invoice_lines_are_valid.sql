-- A line that cannot be compared.
select *
from (
    select
        invoice_id,
        item_group,
        item,
        amount,
        case
            when invoice_id is null then 'no invoice_id'
            when amount is null then 'no amount'
            when currency is null then 'no currency'
            when period_start is null or period_end is null then 'no period_start or no period_end'
            when period_start > period_end then 'period_start is after period_end'
            when kind is null or kind not in ('usage', 'tax', 'credit', 'fee')
                then 'kind is not usage, tax, credit or fee'
        end as problem
    from {{ input('invoice_lines') }}
) as lines
where problem is not null
