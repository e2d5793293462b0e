"""Rows that only add up others: they are checked, and not counted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from tap_twilio_usage.invoice.columns import letters
from tap_twilio_usage.invoice.errors import InvoiceError
from tap_twilio_usage.invoice.line import KINDS, Entry, Line
from tap_twilio_usage.money.amounts import ZERO

COMBINED = "allaccountscombined"
TOTALS = {
    *("total", "totals", "subtotal", "grandtotal", "invoicetotal", "totaldue", "amountdue"),
    *("totalamount", "totalamountdue", "totalcharges", "balancedue"),
}
SMALLEST_UNIT = {"JPY": Decimal(1), "KRW": Decimal(1)}
CENT = Decimal("0.01")


def is_combined(account: str) -> bool:
    """Return whether a row is one for all accounts together."""
    return letters(account) == COMBINED


def is_a_total(account: str, group: str, item: str) -> bool:
    """Return whether a row is the total of an invoice, or of an account or item group in it."""
    names = {letters(account), letters(group), letters(item)}
    return bool(TOTALS & names) or (is_combined(account) and not (group or item))


Key = tuple[str, str]  # item group and item


def without_summaries(entries: Sequence[Entry]) -> list[Line]:
    """Return the lines of an invoice. Raises InvoiceError if a summary is not the sum of its lines.

    A row of `All Accounts Combined` repeats the rows of the accounts with its item. If no account
    has the item, such as a tax of the whole invoice, the row is a line itself.
    """
    totals = [each for each in entries if _is_a_total(each)]
    others = [each for each in entries if not _is_a_total(each)]
    combined = [each for each in others if is_combined(each.account)]
    lines = [each for each in others if not is_combined(each.account)]
    lines = sorted(lines + _only_combined(combined, lines)) if lines else combined
    if not lines:
        raise InvoiceError(f"row {totals[0].row}: a total without lines")
    found = [entry.line for entry in lines]
    for entry in totals:
        _check_total(entry, found)
    return found


def _is_a_total(entry: Entry) -> bool:
    return is_a_total(entry.account, entry.line.item_group, entry.line.item)


def _key(entry: Entry) -> Key:
    return letters(entry.line.item_group), letters(entry.line.item)


def _only_combined(combined: Sequence[Entry], lines: Sequence[Entry]) -> list[Entry]:
    """Return the rows for all accounts that add up no others. Raises InvoiceError in doubt."""
    of_accounts: Mapping[Key, list[Entry]] = _grouped(lines)
    for_all = _grouped(combined)
    only = {key: rows for key, rows in for_all.items() if key not in of_accounts}
    everything = _sum(combined), _sum(lines)
    if len(only) == len(for_all) and _agree(*everything, lines):
        return []  # the same money under other names
    for key in for_all.keys() & of_accounts.keys():
        sums = _sum(for_all[key]), _sum(of_accounts[key])
        if not _agree(*sums, of_accounts[key]):
            raise InvoiceError(_differs(for_all[key][0], *sums))
    groups = {(entry.line.kind, _key(entry)[0]) for entry in lines}
    for rows in only.values():
        if (rows[0].line.kind, _key(rows[0])[0]) in groups:
            raise InvoiceError(
                f"row {rows[0].row}: no account has the item {rows[0].line.item!r}, but accounts "
                f"have others of {rows[0].line.item_group!r}: it may be a sum of them or a line"
            )
    return [entry for rows in only.values() for entry in rows]


def _check_total(entry: Entry, lines: Sequence[Line]) -> None:
    """Compare a total with its lines: of the invoice, or of its account or item group."""
    total = entry.line
    group, account = letters(total.item_group), letters(entry.account)
    if group in TOTALS | {""} and letters(total.item) not in TOTALS | {""}:
        group = letters(total.item)
    mine = [
        line
        for line in lines
        if (group in TOTALS | {""} or letters(line.item_group) == group)
        and (account in TOTALS | {"", COMBINED} or letters(line.account_sid) == account)
    ]
    choices = [
        [line for line in mine if line.kind in kinds]
        for kinds in (KINDS, ("usage", "fee"), ("usage", "fee", "credit"), ("usage",), ("tax",))
    ]
    sums = [sum((line.amount for line in choice), ZERO) for choice in choices]
    if not any(
        abs(total.amount - found) <= _unit(total) * (len(choice) + 1)
        for found, choice in zip(sums, choices, strict=True)
    ):
        raise InvoiceError(_differs(entry, total.amount, sums[0]))


def _grouped(entries: Iterable[Entry]) -> dict[Key, list[Entry]]:
    found: dict[Key, list[Entry]] = defaultdict(list)
    for entry in entries:
        found[_key(entry)].append(entry)
    return found


def _sum(entries: Iterable[Entry]) -> Decimal:
    return sum((entry.line.amount for entry in entries), ZERO)


def _agree(summary: Decimal, lines: Decimal, entries: Sequence[Entry]) -> bool:
    """Return whether the sums differ by what rounding each line can make, at most."""
    return abs(summary - lines) <= _unit(entries[0].line) * len(entries)


def _unit(line: Line) -> Decimal:
    return SMALLEST_UNIT.get(line.currency, CENT)


def _differs(entry: Entry, summary: Decimal, lines: Decimal) -> str:
    names = filter(None, (entry.account, entry.line.item_group, entry.line.item))
    return (
        f"row {entry.row}: the summary {' / '.join(names) or 'of all'!r} is {summary:,f}, but its "
        f"lines add up to {lines:,f}"
    )
