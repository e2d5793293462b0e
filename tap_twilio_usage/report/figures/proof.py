"""Months next to Twilio's own record of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from tap_twilio_usage.report.figures.missing import is_open
from tap_twilio_usage.report.figures.periods import Period, end_of_month, month_of
from tap_twilio_usage.report.figures.sums import ZERO, Month

# The status of a month, worst first.
DAYS_MISSING = "days missing"
DIFFERENT = "different"
MONTH_MISSING = "Twilio has no total"
PARTIAL = "partly loaded"
NOT_COMPARED = "not compared"
OPEN = "not over"
RECONCILED = "reconciled"
STATUSES = (DAYS_MISSING, DIFFERENT, MONTH_MISSING, PARTIAL, NOT_COMPARED, OPEN, RECONCILED)

Sums = Mapping[tuple[date, str], Decimal]


class Proof(NamedTuple):
    """A month of all accounts next to Twilio's own record of it.

    `days_missing` are the days that at least one account lacks; `total` is None if Twilio has none;
    `status` is that of the worst account.
    """

    month: Period
    days_missing: int
    total: Decimal | None
    status: str

    @property
    def is_wrong(self) -> bool:
        """Whether days or the month are missing, or do not add up."""
        return self.status in {DAYS_MISSING, DIFFERENT, MONTH_MISSING}


def proofs(
    periods: list[Period],
    months: Mapping[date, list[Month]],
    missing: set[date],
    sums: Sums,
    loaded: Mapping[str, set[date]],
) -> list[Proof]:
    """Return every month next to Twilio's own record of it; none if no record is loaded.

    `periods` are the loaded months, `sums` the costs of each month and account.
    """
    if not months:
        return []
    found = {month_of(each.first): each for each in periods}
    own = {first for first, each in months.items() if any(month.days_expected for month in each)}
    firsts = sorted({*found, *own, *map(month_of, missing)})
    return [
        _proof(
            found.get(first) or Period(first, end_of_month(first)),
            {each.account: each for each in months.get(first, [])},
            sum(month_of(day) == first for day in missing),
            sums,
            loaded,
        )
        for first in firsts
    ]


def _proof(
    month: Period,
    own: dict[str, Month],
    missing: int,
    sums: Sums,
    loaded: Mapping[str, set[date]],
) -> Proof:
    first = month_of(month.first)
    accounts = {*own, *(account for at, account in sums if at == first)}
    totals = [each.total for each in own.values() if each.total is not None]
    statuses = {
        status(own[account], sums, loaded) if account in own else NOT_COMPARED
        for account in accounts
    }
    worst = DAYS_MISSING if missing else min(statuses, key=STATUSES.index)
    return Proof(month, missing, sum(totals, ZERO) if totals else None, worst)


def status(month: Month, sums: Sums, loaded: Mapping[str, set[date]]) -> str:
    """Return the status of an account's month."""
    if is_open(month):
        return OPEN
    if month.total == sums.get((month.first, month.account), ZERO):
        return RECONCILED
    days = sum(month_of(day) == month.first for day in loaded.get(month.account, ()))
    if days < month.days_expected:
        return PARTIAL
    return DIFFERENT if month.total is not None else MONTH_MISSING
