"""Date windows and the periods that they consist of. Days are GMT; both ends are inclusive."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, timedelta, timezone
from typing import NamedTuple

DAY = timedelta(days=1)
EARLIEST, LATEST = date(1000, 1, 1), date(2999, 12, 31)
PAGES_PER_WINDOW = 4  # at most


class Granularity(NamedTuple):
    """The periods by which Twilio sums usage; `resource` is its own name for them.

    `first` returns the first day of the period that contains a day; `longest` is the number of
    days of the longest period. A resource that `is_named_period`, such as LastMonth, stands for
    one period and takes no dates.
    """

    name: str
    resource: str
    first: Callable[[date], date]
    longest: int
    is_named_period: bool = False

    def is_single_period(self, start: date, end: date) -> bool:
        """Return whether the dates are the first and the last day of one period.

        The period that is still open may end on the day of the request, or when it will be over.
        """
        return start <= end < self.following(start)

    def following(self, day: date) -> date:
        """Return the first day of the period after the one that contains the day."""
        return self.first(self.first(day) + self.longest * DAY)

    def period(self, day: date) -> Window:
        """Return the whole period that contains the day."""
        return Window(self.first(day), self.following(day) - DAY)


def _day(day: date) -> date:
    return day


def _month(day: date) -> date:
    return day.replace(day=1)


def _year(day: date) -> date:
    return day.replace(month=1, day=1)


DAILY = Granularity("daily", "Daily", _day, 1)
MONTHLY = Granularity("monthly", "Monthly", _month, 31)
YEARLY = Granularity("yearly", "Yearly", _year, 366)
ALL_TIME = Granularity("all_time", "AllTime", _day, 36525, is_named_period=True)
GRANULARITIES = (
    DAILY,
    MONTHLY,
    YEARLY,
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
        """Return the window as logs show it: `2026-01-01..2026-01-31`, or a single day."""
        return f"{self.start}..{self.end}" if self.start < self.end else f"{self.start}"

    def __contains__(self, day: object) -> bool:
        """Return whether the day is inside."""
        return isinstance(day, date) and self.start <= day <= self.end

    @property
    def days(self) -> int:
        """The number of days; 0 or less if the window ends before it starts."""
        return (self.end - self.start).days + 1

    def split(self, periods: int, granularity: Granularity) -> Iterator[Window]:
        """Yield windows of up to `periods` periods that cover this one, oldest first."""
        start = self.start
        while start <= self.end:
            following = start
            for _ in range(periods):
                following = granularity.following(following)
            yield Window(start, min(following - DAY, self.end))
            start = following


def named_days(granularity: Granularity, today: date) -> Window:
    """Return the days of a resource that `is_named_period`, up to today."""
    first = granularity.first(today)
    if granularity is ALL_TIME:
        return Window(EARLIEST, today)
    if granularity.name in {"yesterday", "last_month"}:
        return Window(granularity.first(first - DAY), first - DAY)
    return Window(first, today)


def periods_that_fill_pages(rows: int, page_size: int, most_pages: int = PAGES_PER_WINDOW) -> int:
    """Return the number of periods, of `rows` rows each, whose pages have the fewest empty places.

    At most `PAGES_PER_WINDOW` pages, unless one period has more: the pages of one window are
    requested one after another, those of different windows in parallel.
    """
    sizes = range(1, min(most_pages, PAGES_PER_WINDOW) + 1)
    by_pages = {pages: pages * page_size // max(1, rows) for pages in sizes}
    return max(1, max(by_pages.items(), key=lambda item: (item[1] / item[0], -item[0]))[1])


def merged(windows: Iterable[Window]) -> list[Window]:
    """Return the days of the windows in as few windows as possible, oldest first."""
    found: list[Window] = []
    for window in sorted(windows):
        if found and window.start <= found[-1].end + DAY:
            found[-1] = Window(found[-1].start, max(found[-1].end, window.end))
        else:
            found.append(window)
    return found


def without(windows: Iterable[Window], days: Window) -> list[Window]:
    """Return the windows without some days."""
    return list(_without(windows, days))


def without_all(windows: Iterable[Window], days: Iterable[Window]) -> list[Window]:
    """Return the windows without the days of other windows."""
    found = list(windows)
    for each in days:
        found = without(found, each)
    return found


def _without(windows: Iterable[Window], days: Window) -> Iterator[Window]:
    for window in windows:
        if window.end < days.start or window.start > days.end:
            yield window
            continue
        if window.start < days.start:
            yield Window(window.start, days.start - DAY)
        if window.end > days.end:
            yield Window(days.end + DAY, window.end)


def today() -> date:
    """Return the current day, GMT."""
    return datetime.now(timezone.utc).date()


def six_months_back(day: date) -> date:
    """Return the first day of the month six months before the day: the default `start_date`."""
    months = day.year * 12 + day.month - 1 - 6
    return date(months // 12, months % 12 + 1, 1)
