"""What one account is asked for, ahead of its turn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from itertools import chain

from tap_twilio_usage.money.usage_record import Periods, UsageRecord
from tap_twilio_usage.sync.restatements import BEFORE, UPTO, Restatements
from tap_twilio_usage.twilio.periods import DAY, Granularity, Window, periods_that_fill_pages
from tap_twilio_usage.twilio.threads import InOrder
from tap_twilio_usage.twilio.usage_records import Account

Answer = tuple[Window, Periods]
MOST_PAGES_AHEAD = 32  # under way or waiting for their turn, which is what takes memory
MOST_ASKED_BEFORE = 3  # windows, to find out whether the others are needed
NO_DAYS = Window(date.max, date.min)


class Reading:
    """The days of one account that are read, in windows. It changes nothing in the state."""

    def __init__(
        self, account: Account, granularity: Granularity, page_size: int, at_once: int
    ) -> None:
        """Ask for the account's whole history, if it is not known yet, and for nothing else."""
        self.account = account
        self._granularity = granularity
        self._page_size = page_size
        self._at_once = at_once
        self._rows_of_a_period = len(account.fetch_all_time())
        self._known: dict[Window, Periods] = {}
        self.whole = NO_DAYS
        self.older_days: Restatements | None = None
        self.may_be_restated = True
        self.now: Periods = {}  # of a resource that says when
        self.ask_for(NO_DAYS)

    def ask_for(self, days: Window, windows: Iterable[Window] | None = None) -> None:
        """Let the answers be those for the days, in windows that fill pages, or in these."""
        self.days = days
        self.answers = InOrder(self._ask, windows or self._windows(days), self._at_once)

    def plan(self, bookmark: date | None, older_days: Restatements | None) -> None:
        """Choose what to ask for, of the `whole` of the days.

        What an account used since the bookmark, together with its whole history, tells whether
        any day before can have changed: if not, they are left out.
        """
        whole, self.older_days = self.whole, older_days
        self.ask_for(whole)
        if older_days is None or bookmark is None or bookmark not in whole:
            return
        last, newer = Window(bookmark, whole.end), list[Window]()
        if self._pages(last) > 1:
            following = self._granularity.following(bookmark)
            last = Window(bookmark, following - DAY)
            newer = list(self._windows(Window(following, whole.end)))
        if len(newer) > MOST_ASKED_BEFORE:
            return
        self._learn(newer)
        if newer and older_days.are_unchanged(UPTO, self._known_rows()):
            self.may_be_restated = False
            self.ask_for(Window(newer[0].start, whole.end), newer)
            return
        self._learn([last])
        if older_days.are_unchanged(BEFORE, self._known_rows()):
            self.may_be_restated = False
            self.ask_for(Window(bookmark, whole.end), [last, *newer])
            return
        older = self._windows(Window(whole.start, bookmark - DAY))
        self.ask_for(whole, chain(older, [last, *newer]))

    @property
    def requests(self) -> int:
        """About how many requests the days take."""
        return self._pages(self.days)

    def _pages(self, days: Window) -> int:
        periods = sum(1 for _ in days.split(1, self._granularity))
        return -(-periods * self._rows_of_a_period // self._page_size)

    def _windows(self, days: Window) -> Iterator[Window]:
        """Give windows that fill pages, by the number of rows that answers had so far."""
        start = days.start
        while start <= days.end:
            periods = periods_that_fill_pages(
                self._rows_of_a_period, self._page_size, max(1, MOST_PAGES_AHEAD // self._at_once)
            )
            window = next(Window(start, days.end).split(periods, self._granularity))
            yield window
            start = window.end + DAY

    def _ask(self, window: Window) -> Answer:
        answer = self._known.pop(window, None)
        if answer is None:
            answer = self.account.usage(self._granularity, window)
            self._rows_of_a_period = max(map(len, answer.values()), default=self._rows_of_a_period)
        return window, answer

    def _learn(self, windows: Iterable[Window]) -> None:
        self._known |= InOrder(self._ask, windows, self._at_once)

    def _known_rows(self) -> Iterator[UsageRecord]:
        return (
            row for periods in self._known.values() for rows in periods.values() for row in rows
        )
