-- A line without its invoice, period, amount or currency cannot be compared.
select *
from {{ input('invoice_lines') }}
where invoice_id is null
    or amount is null
    or currency is null
    or period_start is null
    or period_end is null
    or period_start > period_end
    or kind is null
    or kind not in ('usage', 'tax', 'credit', 'fee')
