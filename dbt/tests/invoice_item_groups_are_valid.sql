-- A row without an item group and an item would match every line.
select *
from {{ input('invoice_item_groups') }}
where item_group is null and item is null
