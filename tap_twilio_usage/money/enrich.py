"""The rows of one account and period, each with what the tap knows and works out. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal

from tap_twilio_usage.money.dedup import deduplicate, rounding
from tap_twilio_usage.money.hierarchy import (
    TOTAL,
    UNKNOWN_BILLING_KIND,
    UNKNOWN_SERVICE,
    normalise,
    shipped,
)
from tap_twilio_usage.money.usage_record import UsageRecord


def attribute(
    rows: Iterable[UsageRecord], reported: Iterable[UsageRecord] = ()
) -> list[UsageRecord]:
    """Give the period's rows with service, billing_kind, parent_category and their share.

    Each currency is shared out by itself; a row that names none goes with the total's, or with
    the only one there is. Of rows of zeros that are left out it is enough that they are `reported`.
    """
    rows = list(rows)
    names = {normalise(row.category) for row in reported or rows}
    units = {unit(row) for row in rows}
    if len(units - {None}) <= 1:
        return _attributed(rows, names)
    unit_of_total = next((unit(row) for row in rows if normalise(row.category) == TOTAL), None)
    scopes: defaultdict[str | None, list[UsageRecord]] = defaultdict(list)
    for row in rows:
        scopes[unit(row) or unit_of_total].append(row)
    return [row for scope in scopes.values() for row in _attributed(scope, names)]


def unit(row: UsageRecord) -> str | None:
    """Give the currency in one spelling."""
    return normalise(row.price_unit or "") or None


def total(rows: Iterable[UsageRecord]) -> UsageRecord | None:
    """Give the period's row of `totalprice`."""
    return next((row for row in rows if row.dedup_role == "total"), None)


def overshoot(rows: Sequence[UsageRecord]) -> Decimal | None:
    """Give by how much the period's rows hold more than its total, beyond rounding; else None."""
    row = total(rows)
    remainder = row.deduplicated_price if row else None
    if not remainder or remainder >= 0:
        return None
    excess: Decimal = remainder.copy_negate()
    return excess if excess > rounding({row.category: row.price for row in rows}) else None


def _attributed(scope: list[UsageRecord], reported: Collection[str]) -> list[UsageRecord]:
    hierarchy = shipped()
    shares = deduplicate({row.category: row.price for row in scope})
    for row in scope:
        category = normalise(row.category)
        if known := hierarchy.categories.get(category):
            row.service, row.billing_kind = known.service, known.billing_kind
            row.parent_category = known.parent
        else:
            row.service, row.billing_kind = UNKNOWN_SERVICE, UNKNOWN_BILLING_KIND
            row.parent_category = hierarchy.parent(category, reported)
        row.dedup_role, row.deduplicated_price = shares[row.category]
    return scope
