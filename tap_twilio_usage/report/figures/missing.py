"""The days that the warehouse should have of an account and does not."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from tap_twilio_usage.report.figures.periods import DAY, each_day, end_of_month
from tap_twilio_usage.report.figures.sums import ZERO, Account, Month

CLOSED = "closed"
EVERY = "every account"  # in the place of one


class Gap(NamedTuple):
    """Successive days that are missing for an account, or for every account."""

    account: str
    first: date
    last: date

    @property
    def days(self) -> int:
        """The number of days."""
        return (self.last - self.first).days + 1


def in_life(loaded: Collection[date], newest: date | None, account: Account | None) -> set[date]:
    """Return the missing days between an account's first loaded day and the newest of all accounts.

    Twilio lists every day of an account's life, also those without usage. A closed account's life
    ended when it was last updated, or with its last loaded day.
    """
    if not loaded:
        return set()
    last = max(loaded)
    if newest is not None:
        last = max(last, newest if account is None else min(newest, _end(account, last)))
    return {*each_day(min(loaded), last)} - {*loaded}


def _end(account: Account, last_loaded: date) -> date:
    if account.status.lower() != CLOSED:
        return date.max
    return max(last_loaded, account.updated - DAY) if account.updated else last_loaded


def by_months(
    months: Mapping[date, list[Month]],
    loaded: Mapping[str, set[date]],
    days: Collection[date],
    since: date | None,
    sums: Mapping[tuple[date, str], Decimal],
) -> dict[str, set[date]]:
    """Return the missing days that Twilio's own months have.

    `days` are those of any account, `sums` the costs of each month and account.
    """
    missing: dict[str, set[date]] = {}
    for same in months.values():
        for month in same:
            mine = loaded.get(month.account, set())
            costs_more = month.total is not None and month.total != sums.get(
                (month.first, month.account), ZERO
            )
            expected = _expected(month, months, mine, days, since, costs_more=costs_more)
            missing.setdefault(month.account, set()).update(expected - mine)
    return missing


def is_open(month: Month) -> bool:
    """Whether the month was not over when Twilio reported it."""
    return month.as_of is not None and month.as_of <= end_of_month(month.first)


def _expected(  # noqa: PLR0913
    month: Month,
    months: Mapping[date, list[Month]],
    loaded: set[date],
    every: Collection[date],
    since: date | None,
    *,
    costs_more: bool,
) -> set[date]:
    last = end_of_month(month.first)
    if is_open(month) or month.first == max(months):
        expected = max(each.days_expected for each in months[month.first])
        begun = [day for day in every if month.first <= day <= last]
        last = min(last, max(month.first + timedelta(days=expected - 1), *begun, month.first))
    days = {last - timedelta(days=n) for n in range(month.days_expected)}
    if is_open(month) and last - DAY in loaded:
        days.discard(last)  # the load may have been too early for it
    first = since or month.first
    if loaded and end_of_month(month.first) < min(loaded) and not month.total:
        return set()  # the tap skips the time before an account's first usage
    begins = [min(every, default=first)]  # the load may begin within a month
    if is_open(month) or not costs_more:
        begins.append(min(loaded, default=first))  # and an account later, if that cost nothing
    for begin in begins:
        if month.first <= begin <= end_of_month(month.first):
            first = max(first, begin)
    return {day for day in days if day >= first}


def gaps(account: str, days: Iterable[date]) -> list[Gap]:
    """Return days as ranges, in order."""
    found: list[Gap] = []
    for day in sorted(days):
        if found and day - found[-1].last == DAY:
            found[-1] = found[-1]._replace(last=day)
        else:
            found.append(Gap(account, day, day))
    return found
