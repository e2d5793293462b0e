"""Date windows and the periods they are made of. Days are GMT, both ends inclusive."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta, timezone
from typing import NamedTuple

DAY = timedelta(days=1)
EARLIEST = date(1000, 1, 1)
MOST_PAGES = 4  # of one window


class Granularity(NamedTuple):
    """The periods into which Twilio sums usage up; `resource` is its own name for them.

    `first` gives the first day of the period that a day lies in, `longest` the days of the
    longest one. Where the resource `is_named_period`, it stands for one period, and takes no dates.
    """

    name: str
    resource: str
    first: Callable[[date], date]
    longest: int
    is_named_period: bool = False

    def is_single_period(self, start: date, end: date) -> bool:
        """Tell whether these are the first and last day of one period.

        An open one may be said to end when it was asked to, or when it will be over.
        """
        return start <= end < self.following(start)

    def following(self, day: date) -> date:
        """Give the first day of the period after the one that the day lies in."""
        return self.first(self.first(day) + self.longest * DAY)


def _day(day: date) -> date:
    return day


def _month(day: date) -> date:
    return day.replace(day=1)


def _year(day: date) -> date:
    return day.replace(month=1, day=1)


DAILY = Granularity("daily", "Daily", _day, 1)
MONTHLY = Granularity("monthly", "Monthly", _month, 31)
ALL_TIME = Granularity("all_time", "AllTime", _day, 36525, is_named_period=True)
GRANULARITIES = (
    DAILY,
    MONTHLY,
    Granularity("yearly", "Yearly", _year, 366),
    ALL_TIME,
    Granularity("today", "Today", _day, 1, is_named_period=True),
    Granularity("yesterday", "Yesterday", _day, 1, is_named_period=True),
    Granularity("this_month", "ThisMonth", _month, 31, is_named_period=True),
    Granularity("last_month", "LastMonth", _month, 31, is_named_period=True),
)


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

    def split(self, periods: int, granularity: Granularity) -> Iterator[Window]:
        """Give windows of up to so many periods that cover it, oldest first."""
        start = self.start
        while start <= self.end:
            following = start
            for _ in range(periods):
                following = granularity.following(following)
            yield Window(start, min(following - DAY, self.end))
            start = following


def periods_that_fill_pages(rows: int, page_size: int, most_pages: int = MOST_PAGES) -> int:
    """Give for how many periods of so many rows to ask at once: those that waste least of a page.

    The pages of one answer come one after the other, those of different ones in parallel.
    """
    sizes = range(1, min(most_pages, MOST_PAGES) + 1)
    by_pages = {pages: pages * page_size // max(1, rows) for pages in sizes}
    return max(1, max(by_pages.items(), key=lambda item: (item[1] / item[0], -item[0]))[1])


def today() -> date:
    """Give the day it is, GMT."""
    return datetime.now(timezone.utc).date()


def six_months_back(day: date) -> date:
    """Give the first day of the month six months before this one: the default `start_date`."""
    months = day.year * 12 + day.month - 1 - 6
    return date(months // 12, months % 12 + 1, 1)
