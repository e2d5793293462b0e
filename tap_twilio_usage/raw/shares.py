"""What each row counts, from the columns of a table. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple, cast

from tap_twilio_usage.money.amounts import EXACT, ZERO
from tap_twilio_usage.money.dedup import Share, deduplicate, rounding
from tap_twilio_usage.money.enrich import by_currency
from tap_twilio_usage.money.hierarchy import normalise
from tap_twilio_usage.raw.errors import RawError
from tap_twilio_usage.raw.prices import Prices, quantity

# The parts of a row that say with which other rows it is de-duplicated.
PERIOD = ("account", "start", "end")

Columns = Mapping[str, Sequence[object]]


class Row(NamedTuple):
    """A row of the table, with its place in it."""

    place: int
    category: str
    price: Decimal | None
    price_unit: str | None


@dataclass
class Shares:
    """The share of each row, and what the command says of them."""

    rows: list[Share]
    prices: Prices = field(default_factory=Prices)
    accounts: set[object] = field(default_factory=set)
    periods: int = 0
    without_total: int = 0
    over_total: int = 0
    sums: dict[str, Decimal] = field(default_factory=dict)  # by currency


def shares_of(columns: Columns) -> Shares:
    """Return the shares of the rows. The columns are named as in `names`.

    Raises RawError for a row without a category, a price that is none, and a row that is there
    twice.
    """
    categories = columns["category"]
    found = Shares([Share("", None)] * len(categories))
    prices = found.prices.read(columns["price"])
    nothing = [None] * len(categories)
    units = cast("Sequence[str | None]", columns.get("unit", nothing))
    periods: defaultdict[Hashable, list[int]] = defaultdict(list)
    keys = zip(*(columns.get(part, nothing) for part in PERIOD), strict=True)
    for place, (key, category) in enumerate(zip(keys, categories, strict=True)):
        if not isinstance(category, str) or not category.strip():
            raise RawError(f"row {place + 1} has no category")
        periods[key].append(place)
    found.accounts = {*columns["account"]}
    found.periods = len(periods)
    for places in periods.values():
        rows = [Row(i, cast("str", categories[i]), prices[i], units[i]) for i in places]
        for scope in by_currency(rows):
            _solve(scope, columns, found)
    return found


def _solve(scope: list[Row], columns: Columns, found: Shares) -> None:
    """Set the shares of the rows of one account, period and currency."""
    prices = {row.category: row.price for row in scope}
    if len(prices) < len(scope):
        raise RawError(_twice(scope, columns))
    counts, usages = columns.get("count"), columns.get("usage")

    def quantities() -> dict[str, tuple[Decimal | None, Decimal | None]]:
        if counts is None or usages is None:
            return {}
        return {r.category: (quantity(counts[r.place]), quantity(usages[r.place])) for r in scope}

    shares = deduplicate(prices, quantities=quantities)
    currency = next((normalise(row.price_unit) for row in scope if row.price_unit), "")
    counted = ZERO
    for row in scope:
        role, price = found.rows[row.place] = shares[row.category]
        if price:
            counted = EXACT.add(counted, price)
            if role == "total" and price < -rounding(prices):
                found.over_total += 1
    found.without_total += shares[scope[0].category].deduplicated_price is None
    found.sums[currency] = EXACT.add(found.sums.get(currency, ZERO), counted)


def _twice(scope: list[Row], columns: Columns) -> str:
    (category, times), *_ = Counter(row.category for row in scope).most_common(1)
    place = scope[0].place
    return (
        f"category {category!r} of account {columns['account'][place]} is there {times} times "
        f"for the period from {columns['start'][place]}; keep the newest row of each, as the "
        "documentation shows"
    )
