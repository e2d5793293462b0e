"""Add the tap's own fields to the rows of one account and period. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal
from typing import Protocol, TypeVar

from tap_twilio_usage.money.dedup import deduplicate, has_only_refunds, rounding
from tap_twilio_usage.money.hierarchy import (
    TOTAL,
    UNKNOWN_BILLING_KIND,
    UNKNOWN_SERVICE,
    normalise,
    shipped,
)
from tap_twilio_usage.money.usage_record import UsageRecord


class Charged(Protocol):
    """What has a category and a currency, such as a usage record."""

    @property
    def category(self) -> str:
        """Twilio's name."""

    @property
    def price_unit(self) -> str | None:
        """Twilio's name, in any case."""


R = TypeVar("R", bound=Charged)


def attribute(
    rows: Iterable[UsageRecord], reported: Iterable[UsageRecord] = ()
) -> list[UsageRecord]:
    """Return the rows of a period after setting the fields that the tap adds. Changes the rows.

    These are service, billing_kind, parent_category, dedup_role and deduplicated_price.
    Each currency is de-duplicated separately. A row without a currency is counted with the currency
    of the total, or with the only currency. If `rows` does not contain all rows of the period,
    `reported` does: it is used to infer the parents of unknown categories.
    """
    rows = list(rows)
    names = {normalise(row.category) for row in reported or rows}
    return [row for scope in by_currency(rows) for row in _attributed(scope, names)]


def by_currency(rows: list[R]) -> list[list[R]]:
    """Return the rows of a period by currency; those without one are with the total."""
    units = {_currency(written) for written in {row.price_unit for row in rows}}
    if len(units - {None}) <= 1:
        return [rows]
    unit_of_total = next((unit(row) for row in rows if normalise(row.category) == TOTAL), None)
    scopes: defaultdict[str | None, list[R]] = defaultdict(list)
    for row in rows:
        scopes[unit(row) or unit_of_total].append(row)
    return [*scopes.values()]


def unit(row: Charged) -> str | None:
    """Return the currency of a row in lower case; None if it has none."""
    return _currency(row.price_unit)


def total(rows: Iterable[UsageRecord]) -> UsageRecord | None:
    """Return the `totalprice` row of the period; None if there is none."""
    return next((row for row in rows if row.dedup_role == "total"), None)


def overshoot(rows: Sequence[UsageRecord]) -> Decimal | None:
    """Return by how much the rows of a period exceed its total; None if only by rounding.

    If the period has only refunds, return by how much more they refund than the total.
    """
    row = total(rows)
    remainder = row.deduplicated_price if row else None
    if not remainder:
        return None
    prices = {row.category: row.price for row in rows}
    excess = remainder if has_only_refunds(prices) else remainder.copy_negate()
    return excess if excess > rounding(prices) else None


def _currency(written: str | None) -> str | None:
    return normalise(written or "") or None


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
