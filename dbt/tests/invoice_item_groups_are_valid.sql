-- A row that would match every line.
select
    priority,
    service,
    'no item_group and no item' as problem
from {{ input('invoice_item_groups') }}
where item_group is null and item is null
