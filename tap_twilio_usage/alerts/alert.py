"""What is worth an alert, from rows of the models: no database, no notification."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from tap_twilio_usage.alerts import wording
from tap_twilio_usage.alerts.today import NEVER, History, Series, usual

MORE = {"spike", "new_category"}  # kinds of a day that cost more than usual
BUDGETS = {"at_risk": 1, "over": 2}
MONTHS = {"month_missing": 1, "different": 2, "days_missing": 3}


class Alert(NamedTuple):
    """One thing that somebody should know.

    It has the same `key` in every run. It is sent again only if its `level` is higher.
    """

    key: str
    level: int
    text: str


class Names:
    """The names of accounts, where they are known."""

    def __init__(self, names: Mapping[str, str | None]) -> None:
        """Take the names by SID."""
        self._names = names

    def of(self, sid: str | None) -> str:
        """Return the name and the SID."""
        name = self._names.get(sid or "")
        return f"{name} ({sid})" if name else sid or "no account"


def costly_day(account: str | None, category: str, unit: str | None, day: date) -> str:
    """Return the key of a day that costs too much, whether or not it is over."""
    return f"cost/{account}/{category}/{wording.currency(unit)}/{day}"


def doublings(cost: float | Decimal, high: float | Decimal) -> int:
    """Return the level of a cost: 1 if it is above `high`, 2 from twice as much, and so on."""
    return 1 + max(0, math.floor(math.log2(float(cost) / float(high)))) if high > 0 else 1


def of_anomalies(rows: Iterable[Any], names: Names) -> Iterator[Alert]:
    """Yield an alert for each row of `anomalies`."""
    for row in rows:
        key = costly_day(row.account_sid, row.category, row.price_unit, row.start_date)
        is_more = row.kind in MORE
        yield Alert(
            key if is_more else f"{row.kind}/{key}",
            doublings(row.cost, row.high) if is_more else 1,
            wording.anomaly(row, names.of(row.account_sid)),
        )


def of_budgets(rows: Iterable[Any]) -> Iterator[Alert]:
    """Yield an alert for each row of `budget_status` that is at risk or over."""
    for row in rows:
        if row.status in BUDGETS:
            key = f"budget/{row.budget_id}/{row.period_start}/{row.currency}"
            yield Alert(key, BUDGETS[row.status], wording.budget(row))


def of_months(rows: Iterable[Any], names: Names) -> Iterator[Alert]:
    """Yield an alert for each row of `reconciliation_by_month` that should not be so."""
    for row in rows:
        if row.status in MONTHS:
            key = f"month/{row.account_sid}/{row.month}/{row.price_unit}"
            text = wording.month(row, names.of(row.account_sid))
            yield Alert(key, MONTHS[row.status], text)


def of_today(
    rows: Iterable[Any],
    day: date,
    histories: Mapping[Series, History],
    minimum: float,
    names: Names,
) -> Iterator[Alert]:
    """Yield an alert for each row of `usage_records_today` with more than a whole day's cost."""
    for row in rows:
        key = row.account_sid, row.category, row.price_unit
        known = usual(histories.get(key) or histories[NEVER], minimum)
        cost = float(row.deduplicated_price)
        if cost > known.high and cost - known.expected >= minimum:
            yield Alert(
                costly_day(*key, day),
                doublings(cost, known.high),
                wording.today(row, day, names.of(row.account_sid), known),
            )
