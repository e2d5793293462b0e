"""Requests made before their results are needed, so that several run in parallel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from itertools import chain
from typing import NamedTuple

from tap_twilio_usage.money.usage_record import Periods, UsageRecord
from tap_twilio_usage.sync import subaccount_switch
from tap_twilio_usage.sync.account import Account
from tap_twilio_usage.sync.endpoints import Endpoints, Unanswered
from tap_twilio_usage.sync.first_day import FirstDay, fetch_first_day
from tap_twilio_usage.sync.named_periods import NamedPeriod, fetch_named_period
from tap_twilio_usage.sync.plan import windows
from tap_twilio_usage.sync.restatements import Restatements
from tap_twilio_usage.sync.run import Run
from tap_twilio_usage.sync.state import AccountContext, AccountState
from tap_twilio_usage.twilio.errors import NotFound, RetriesExhausted
from tap_twilio_usage.twilio.periods import (
    DAILY,
    DAY,
    EARLIEST,
    LATEST,
    Granularity,
    Window,
    merged,
    without_all,
)
from tap_twilio_usage.twilio.threads import InOrder, spawn
from tap_twilio_usage.twilio.usage_records import Reported

Answer = tuple[Window, Periods]
MAX_PAGES_AHEAD = 32  # requested or waiting to be emitted; this bounds the memory
MAX_WINDOWS_TO_CHECK = 3  # after the bookmark; with more, all days are read without a check
NO_DAYS = Window(date.max, date.min)


class Prefetch:
    """The records of one account, requested in windows. It does not change the state."""

    def __init__(
        self,
        account: Account,
        state: AccountState,
        granularity: Granularity,
        page_size: int,
        max_requests: int,
    ) -> None:
        """Take the account and its state; make no request yet."""
        self.account = account
        self.state = state
        self.all_days = NO_DAYS
        self.first_day: FirstDay | None = None  # if it was asked for
        self.since = EARLIEST  # the first day that may be read
        self.is_unused = False
        self.earlier_days: Window | None = None  # which a start_date that was moved back adds
        self.days_without_focus: list[Window] = []  # which this run emits again with FOCUS
        self.restatements: Restatements | None = None
        self.may_be_restated = True
        self.named = NamedPeriod({})  # of a resource with a single period, such as `Today`
        self._granularity = granularity
        self._page_size = page_size
        self._max_requests = max_requests
        self._rows_of_a_period = 1
        self._fetched: dict[Window, Periods] = {}
        self._set_windows(NO_DAYS)

    def plan(self, all_days: Window, rows_of_a_period: int) -> None:
        """Set the days to read; `rows_of_a_period` is a first estimate for the size of windows."""
        self.all_days = all_days
        self._rows_of_a_period = rows_of_a_period
        self._set_windows(all_days)

    def skip_unchanged_days(self, restatements: Restatements) -> None:
        """Do not read the days up to the bookmark if Twilio has not restated them.

        The account's history and its usage after the bookmark show whether it has.
        """
        self.restatements = restatements
        days, bookmark = self.all_days, self.state.bookmark
        if bookmark is None or bookmark not in days:
            return
        last, newer = Window(bookmark, days.end), list[Window]()
        if self._pages(last) > 1:
            last = self._granularity.period(bookmark)
            newer = list(self._windows(Window(last.end + DAY, days.end)))
        if len(newer) > MAX_WINDOWS_TO_CHECK:
            return
        self._fetch_now(newer)
        if newer and restatements.none_up_to_bookmark(self._fetched_rows()):
            self.may_be_restated = False
            self._set_windows(Window(newer[0].start, days.end), newer)
            return
        self._fetch_now([last])
        if restatements.none_before_bookmark(self._fetched_rows()):
            self.may_be_restated = False
            self._set_windows(Window(bookmark, days.end), [last, *newer])
            return
        older = self._windows(Window(days.start, bookmark - DAY))
        self._set_windows(days, chain(older, [last, *newer]))

    @property
    def read_windows(self) -> list[Window]:
        """The days that are read."""
        return [*self._missing_days(), *([self.days] if self.days.days > 0 else [])]

    @property
    def read_days(self) -> int:
        """The number of days that are read."""
        return sum(window.days for window in self.read_windows)

    def emits_again(self, period: Window) -> bool:
        """Return whether the rows of the period were emitted before, but not with FOCUS."""
        return any(period.start in window for window in self.days_without_focus)

    @property
    def reads_all_days(self) -> bool:
        """Whether no day is skipped."""
        return self.days.start == self.all_days.start

    @property
    def requests(self) -> int:
        """The estimated number of requests for the days."""
        return self._pages(self.days)

    def _set_windows(self, days: Window, chosen: Iterable[Window] | None = None) -> None:
        """Read these days, and before them those that are missing since earlier runs."""
        self.days = days
        missing = chain.from_iterable(map(self._windows, self._missing_days()))
        asked = chain(missing, chosen or self._windows(days))
        self.answers = InOrder(self._fetch, asked, self._max_requests)

    def _missing_days(self) -> list[Window]:
        earlier = [self.earlier_days] if self.earlier_days else []
        missing = merged([*self.state.missing_days, *earlier, *self.days_without_focus])
        # end_date may be before the bookmark; whole periods only
        following = min(self.days.start, self._granularity.first(self.days.end + DAY))
        inside = [Window(EARLIEST, self.since - DAY), Window(following, LATEST)]
        return without_all(missing, inside)

    def _pages(self, days: Window) -> int:
        periods = sum(1 for _ in days.split(1, self._granularity))
        return -(-periods * self._rows_of_a_period // self._page_size)

    def _windows(self, days: Window) -> Iterator[Window]:
        return windows(
            days,
            self._granularity,
            lambda: self._rows_of_a_period,
            self._page_size,
            max(1, MAX_PAGES_AHEAD // self._max_requests),
        )

    def _fetch(self, window: Window) -> Answer:
        answer = self._fetched.pop(window, None)
        if answer is None:
            answer = self.account.fetch_usage(self._granularity, window)
            self._rows_of_a_period = max(map(len, answer.values()), default=self._rows_of_a_period)
        return window, answer

    def _fetch_now(self, chosen: Iterable[Window]) -> None:
        self._fetched |= InOrder(self._fetch, chosen, self._max_requests)

    def _fetched_rows(self) -> Iterator[UsageRecord]:
        return (
            row for periods in self._fetched.values() for rows in periods.values() for row in rows
        )


class _Item(NamedTuple):
    """An account to prepare: its state, and the first day that may have to be read."""

    state: AccountState
    since: date | None
    days_without_focus: list[Window]


class Queue:
    """The accounts to read, in order. Requests for the next ones are made in advance."""

    def __init__(self, run: Run, contexts: Iterable[AccountContext]) -> None:
        """Take the contexts to read; make no request yet."""
        self._run = run
        self._prepared = InOrder(self._prepare, map(self._item, contexts), run.max_requests)

    def next(self) -> Prefetch:
        """Return the next account. Raises ApiError if it could not be prepared."""
        # Requests made in advance may have failed in an outage that has ended since.
        self._prepared.begin_again(RetriesExhausted)
        prefetch = next(self._prepared)
        prefetch.answers.begin_again(RetriesExhausted)
        return prefetch

    def answers(self, prefetch: Prefetch) -> Iterator[Answer]:
        """Yield the responses for the account, and make requests for the accounts after it."""
        self._begin_requests(prefetch)
        for answer in prefetch.answers:
            self._begin_requests(prefetch)
            yield answer

    def _begin_requests(self, prefetch: Prefetch) -> None:
        """Start the next requests: first of this account, then of those after it."""
        room = self._run.max_requests if self._run.max_requests > 1 else 0
        for each in (prefetch, *self._prepared.done()):
            if not each.is_unused:
                each.answers.begin(room)
                room -= len(each.answers)

    def _item(self, context: AccountContext) -> _Item:
        """Prepare the state for reading the account. Runs on the main thread only."""
        run = self._run
        state = subaccount_switch.prepare(run, context)
        since = subaccount_switch.first_day_of_all(run.state.partitions, run.main(state).sid)
        days_without_focus = state.find_days_without_focus() if run.emits_focus else []
        return _Item(state, since, days_without_focus)

    def _prepare(self, item: _Item) -> Prefetch:
        """Fetch what decides which days of an account to read, and set these."""
        run, planner, state = self._run, self._run.planner, item.state
        account = run.account(state.context.account_sid) or run.main(state)
        is_named_period = planner.granularity.is_named_period
        earlier = planner.earlier_days(state)
        since = planner.since(state)
        asks = not is_named_period and (
            planner.bookmark(state) is None
            or earlier is not None
            or state.first_rows is None
            or any(window.end >= since for window in state.unlogged_days)
        )
        first_day = planner.settings.first_day(planner.today)
        first_day = min(first_day, item.since or first_day)
        # In parallel with the request for its history.
        asked = spawn(lambda: fetch_first_day(account, first_day) if asks else None)
        prefetch = Prefetch(
            account, state, planner.granularity, planner.settings.page_size, run.max_requests
        )
        all_time = account.fetch_all_time()
        if is_named_period:
            prefetch.named = fetch_named_period(run, account)
            return prefetch
        prefetch.first_day = asked.result()
        begins = prefetch.first_day.day if prefetch.first_day else None
        if prefetch.first_day and prefetch.first_day.is_before_creation:
            planner.logger.info(
                "%s: Twilio does not list the year in which it was created, so loading starts on "
                "%s in case its subaccounts are older",
                state.name,
                begins,
            )
        days = planner.days(state, account.sid, since=item.since, begins=begins)
        prefetch.since = since
        prefetch.days_without_focus = item.days_without_focus
        if earlier:
            first = planner.granularity.first(max(earlier.start, begins or earlier.start))
            prefetch.earlier_days = Window(first, earlier.end) if first <= earlier.end else None
        prefetch.plan(days, len(all_time))
        if planner.settings.separates_accounts and run.categories(account, state).is_empty:
            oldest, *_ = [*prefetch.read_windows, days]
            whole = Window(oldest.start, days.end)
            prefetch.is_unused = not _fetch_whether_used(run.endpoints, account, all_time, whole)
        # A single account is always read with its whole lookback. Of hundreds of accounts, most
        # have no restated days, and to check that takes fewer requests.
        may_skip = planner.settings.separates_accounts and planner.is_incremental
        if may_skip and not prefetch.is_unused and days.days > 0:
            prefetch.skip_unchanged_days(
                Restatements(
                    state,
                    all_time=all_time,
                    window=days,
                    begins=begins,
                    longest=planner.granularity.longest,
                    lookback_days=planner.settings.lookback_days,
                    reasons=(
                        planner.settings.skip_unused_categories,
                        planner.settings.focus,
                        run.version,
                    ),
                    today=planner.today,
                )
            )
        return prefetch


def _fetch_whether_used(
    endpoints: Endpoints, account: Account, all_time: list[Reported], days: Window
) -> bool:
    """Return whether an account may have usage though its AllTime shows none.

    Twilio lists every category, also unused ones, so an empty list is not an answer. And amounts of
    different days can cancel each other out in AllTime; the totals of the days say whether they do.
    """
    if not all_time or days.days < 1:
        return True
    try:
        totals = endpoints.fetch_totals(account, DAILY, days, at_once=True)
    except (NotFound, RetriesExhausted, Unanswered):
        return True  # the days are read one by one
    return not totals or any(row.price != 0 for row in totals.values())
