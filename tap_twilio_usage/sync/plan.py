"""Decides which days to read: from the bookmark less the lookback, or from the start date."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from tap_twilio_usage.logs.anomalies import Anomalies
from tap_twilio_usage.sync.state import PeriodState
from tap_twilio_usage.twilio.periods import (
    DAY,
    EARLIEST,
    Granularity,
    Window,
    periods_that_fill_pages,
)


class Settings(Protocol):
    """The settings that decide which rows to read."""

    @property
    def start_date(self) -> date | None:
        """The first day to load, if the user has set one."""

    @property
    def lookback_days(self) -> int:
        """The number of days before the bookmark to read again."""

    @property
    def skip_unused_categories(self) -> bool:
        """Whether to skip zero rows of categories that were never used."""

    @property
    def page_size(self) -> int:
        """The number of rows on a page."""

    @property
    def focus(self) -> bool:
        """Whether to emit FOCUS rows as well."""

    @property
    def separates_accounts(self) -> bool:
        """Whether each account has its own rows."""

    def first_day(self, today: date) -> date:
        """Return the day to start on if there is no bookmark."""

    def last_day(self, today: date) -> date:
        """Return the last day to load, which is never after today."""


@dataclass(frozen=True)
class Planner:
    """Decides which days of an account or a billing group one run reads."""

    settings: Settings
    granularity: Granularity
    today: date
    is_incremental: bool
    logger: logging.Logger
    anomalies: Anomalies

    @property
    def last_period(self) -> date:
        """The first day of the last period to load."""
        return self.granularity.first(self.settings.last_day(self.today))

    @property
    def reads_up_to_today(self) -> bool:
        """Whether no `end_date` leaves out days that AllTime has."""
        return self.settings.last_day(self.today) == self.today

    def is_over(self, period: Window) -> bool:
        """Return whether the whole period is in the past."""
        return self.granularity.following(period.start) <= self.today

    def bookmark(self, state: PeriodState) -> date | None:
        """Return the bookmark to resume from; None to read everything again."""
        return state.bookmark if self.is_incremental else None

    def reset_future_bookmark(self, state: PeriodState, name: str) -> None:
        """Move a bookmark that is after today back to the newest period that had records.

        An earlier run had a wrong clock. Without this, nothing would be loaded until that day.
        """
        if state.bookmark is None or state.bookmark <= self.today:
            return
        newest = state.last_rows or state.first_day
        self.logger.warning(
            "%s: its bookmark, %s, is after today: an earlier run had a wrong clock; loading again "
            "from %s",
            name,
            state.bookmark,
            "the start" if newest is None else newest,
        )
        state.bookmark = min(newest, self.last_period) if newest else None
        if state.catch_up_to:
            state.catch_up_to = min(state.catch_up_to, self.last_period)

    def asked_since(self, state: PeriodState) -> date:
        """Return the first day that this run or an earlier one was asked to load."""
        days = self.settings.first_day(self.today), state.asked_since, state.first_day
        return self.granularity.first(min(filter(None, days)))

    def since(self, state: PeriodState) -> date:
        """Return the first day that a run with this `start_date` may read."""
        start = None if state.catch_up_to else self.settings.start_date
        return self.granularity.first(start) if start else EARLIEST

    def days_to_read_again(self, state: PeriodState) -> list[Window]:
        """Return the days that this run may load again, also those that it may find unchanged."""
        first, bookmark = state.first_day, self.bookmark(state)
        if bookmark and not state.catch_up_to:
            first = self.less_lookback(bookmark)
        return [*state.missing_days, Window(first, self.last_period)] if first else []

    def skipped_days(self, state: PeriodState, days: Window) -> list[Window]:
        """Return the days from the bookmark on that `start_date` leaves out of the days to read.

        They are missing from then on: a run whose start_date is earlier again has to read them. The
        period of the bookmark is one of them, because it may have been read before it was over.
        """
        if not state.bookmark or state.bookmark >= days.start:
            return []
        return [Window(state.bookmark, days.start - DAY)]

    def earlier_days(self, state: PeriodState) -> Window | None:
        """Return the days that a `start_date` adds which was moved back since the last run."""
        start, first_day = self.settings.start_date, state.asked_since or state.first_day
        if self.bookmark(state) is None or start is None or first_day is None:
            return None
        earlier = Window(self.granularity.first(start), self.granularity.first(first_day) - DAY)
        return earlier if earlier.days > 0 else None

    def days(
        self,
        state: PeriodState,
        name: str,
        *,
        since: date | None = None,
        begins: date | None = None,
    ) -> Window:
        """Return the days to read; an empty window if there are none.

        Without a bookmark they begin on `start_date`, or on `since` if that is earlier, but not
        before the day on which the account `begins`. The first period is always complete.
        `name` is for the log.
        """
        if bookmark := self.bookmark(state):
            start = self._resume(state, bookmark)
        else:
            start = min(self.settings.first_day(self.today), since or date.max)
            if begins and begins > start:
                self.logger.info("%s was created on %s: loading starts there", name, begins)
                start = begins
        window = Window(start, self._last_day(state))
        if window.days < 1:
            self.logger.info("%s: no days to load from %s to %s", name, *window)
            return window
        return Window(self.granularity.first(window.start), window.end)

    def less_lookback(self, bookmark: date) -> date:
        """Return the first day that is read again after this bookmark."""
        return bookmark - min(self.settings.lookback_days, (bookmark - EARLIEST).days) * DAY

    def _last_day(self, state: PeriodState) -> date:
        """Return the last day to read.

        If `end_date` is inside a period that was loaded, before the bookmark, it is the day before
        that period: the part up to `end_date` would replace the whole period.
        """
        last = self.settings.last_day(self.today)
        period = self.granularity.first(last)
        is_part = last + DAY < self.granularity.following(period)
        first, bookmark = state.first_day or state.asked_since, self.bookmark(state)
        if is_part and first and bookmark and first <= period < bookmark:
            return period - DAY
        return last

    def _resume(self, state: PeriodState, bookmark: date) -> date:
        start = self.less_lookback(bookmark)
        # Only a start_date that the user has set limits the lookback. The default one moves with
        # time and would leave a gap after a pause of months. During a change of `subaccounts`, the
        # limit is the first day that was ever read.
        earliest = state.first_day if state.catch_up_to else self.settings.start_date
        start = max(start, earliest or start)
        if self.granularity.first(start) > self.granularity.following(bookmark):
            self.anomalies.warn_once(
                "gap", "start_date leaves out days after the bookmark, %s", bookmark
            )
        return start


def windows(
    days: Window,
    granularity: Granularity,
    rows_of_a_period: Callable[[], int],
    page_size: int,
    max_pages: int,
) -> Iterator[Window]:
    """Yield windows that fill pages, given the number of rows of a period in responses so far."""
    start = days.start
    while start <= days.end:
        periods = periods_that_fill_pages(rows_of_a_period(), page_size, max_pages)
        window = next(Window(start, days.end).split(periods, granularity))
        yield window
        start = window.end + DAY
