"""The rows of one account and period, each with what the tap knows and works out. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal

from tap_twilio_usage.money.dedup import deduplicate, has_only_refunds, rounding
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
    """Return the period's rows with service, billing_kind, parent_category and their share.

    Each currency is a scope of its own. A row without a currency belongs to that of the total, or
    to the only one there is. `reported` are all rows of the period, if `rows` are without the
    rows of zeros.
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
    """Return the currency in lower case; None if the row has none."""
    return normalise(row.price_unit or "") or None


def total(rows: Iterable[UsageRecord]) -> UsageRecord | None:
    """Return the period's row of `totalprice`."""
    return next((row for row in rows if row.dedup_role == "total"), None)


def overshoot(rows: Sequence[UsageRecord]) -> Decimal | None:
    """Return how much more than its total the period's rows hold, beyond rounding; else None.

    Of a period of refunds alone: how much more they refund than the total.
    """
    row = total(rows)
    remainder = row.deduplicated_price if row else None
    if not remainder:
        return None
    prices = {row.category: row.price for row in rows}
    excess = remainder if has_only_refunds(prices) else remainder.copy_negate()
    return excess if excess > rounding(prices) else None


def _attributed(scope: list[UsageRecord], reported: Collection[str]) -> list[UsageRecord]:
    hierarchy = shipped()
    categories = hierarchy.categories
    shares = deduplicate(
        {row.category: row.price for row in scope},
        quantities=lambda: {row.category: (row.count, row.usage) for row in scope},
    )
    for row in scope:
        category = normalise(row.category)
        if known := categories.get(category):
            row.service, row.billing_kind = known.service, known.billing_kind
            row.parent_category = known.parent
        else:
            row.service, row.billing_kind = UNKNOWN_SERVICE, UNKNOWN_BILLING_KIND
            row.parent_category = hierarchy.parent(category, reported)
        row.dedup_role, row.deduplicated_price = shares[row.category]
    return scope
