"""Date windows. Days are GMT, both ends inclusive."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from typing import NamedTuple

DAY = timedelta(days=1)


class Window(NamedTuple):
    """The days from `start` to `end`."""

    start: date
    end: date

    def __str__(self) -> str:
        """Give it as logs show it."""
        return f"{self.start}..{self.end}" if self.start < self.end else f"{self.start}"

    def __contains__(self, day: object) -> bool:
        """Tell whether the day lies inside."""
        return isinstance(day, date) and self.start <= day <= self.end

    @property
    def days(self) -> int:
        """Give the number of days; 0 or less if it ends before it starts."""
        return (self.end - self.start).days + 1

    def split(self, days: int) -> Iterator[Window]:
        """Give windows of up to `days` days that cover it, oldest first."""
        start = self.start
        while start <= self.end:
            end = min(start + (days - 1) * DAY, self.end)
            yield Window(start, end)
            start = end + DAY


def today() -> date:
    """Give the day it is, GMT."""
    return datetime.now(timezone.utc).date()


def six_months_back(day: date) -> date:
    """Give the first day of the month six months before this one: the default `start_date`."""
    months = day.year * 12 + day.month - 1 - 6
    return date(months // 12, months % 12 + 1, 1)
