"""Days and months, and the sums over them."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from tap_twilio_usage.report.figures.sums import ZERO, AccountDay

Span = tuple[date, date]
DAY = timedelta(days=1)


@dataclass
class Period:
    """The sums of the loaded days from `first` to `last`; `total` is None if Twilio has none."""

    first: date
    last: date
    naive: Decimal = ZERO
    deduplicated: Decimal = ZERO
    total: Decimal | None = None
    remainder: Decimal = ZERO
    as_of: datetime | None = None

    def add(self, day: AccountDay | Period) -> None:
        """Add the sums of a day or of another period."""
        self.naive += day.naive
        self.deduplicated += day.deduplicated
        self.remainder += day.remainder
        if day.total is not None:
            self.total = day.total + (self.total or ZERO)
        if day.as_of is not None:
            self.as_of = max(day.as_of, self.as_of or day.as_of)


def merged(periods: Iterable[Period]) -> Period:
    """Return the sums of successive periods as one."""
    first, *more = periods
    found = Period(first.first, first.last)
    for each in (first, *more):
        found.last = each.last
        found.add(each)
    return found


def month_of(day: date) -> date:
    """Return the first day of the month."""
    return day.replace(day=1)


def end_of_month(day: date) -> date:
    """Return the last day of the month."""
    return day.replace(day=monthrange(day.year, day.month)[1])


def month_before(day: date) -> date:
    """Return the first day of the month before."""
    return month_of(month_of(day) - DAY)


def each_day(first: date, last: date) -> list[date]:
    """Return the days from one to another; none if they are the wrong way round."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def same_days(last: date) -> tuple[Span, Span]:
    """Return the days of a month up to a day, and the same days of the month before.

    If the month is complete, so is the other.
    """
    first, end = month_of(last), month_of(last) - DAY
    same = end if last == end_of_month(last) else end.replace(day=min(last.day, end.day))
    return (first, last), (month_of(end), same)
