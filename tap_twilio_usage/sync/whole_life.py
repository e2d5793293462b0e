"""Compares Twilio's AllTime of an account with the sum of its days.

A day whose record is incomplete, or that answers zeros, looks like any other: only this sum shows
that spend is missing. The sum of the days before those that the next run reads is kept in the
state. AllTime may be ahead of the days for a while, so what it has more counts if it stays so.
What lies outside of the days is asked for. Once a month, so are the days that no run reads again: a
day that Twilio has lowered since would hide another that lacks the same amount.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import date
from decimal import Decimal, localcontext

from tap_twilio_usage.money.amounts import EXACT, ZERO
from tap_twilio_usage.money.hierarchy import TOTAL, normalise
from tap_twilio_usage.money.usage_record import UsageRecord
from tap_twilio_usage.sync.account import Account
from tap_twilio_usage.sync.difference import (
    NEW,
    Comparison,
    Verdict,
    confirm,
    judge,
    late,
    words,
)
from tap_twilio_usage.sync.endpoints import Endpoints, Unanswered
from tap_twilio_usage.sync.outside import Outside
from tap_twilio_usage.sync.plan import Planner
from tap_twilio_usage.sync.restatements import MAX_AGE
from tap_twilio_usage.sync.state import AccountState, History
from tap_twilio_usage.twilio.errors import ApiError, NotFound
from tap_twilio_usage.twilio.periods import DAILY, DAY, MONTHLY, Window
from tap_twilio_usage.twilio.usage_records import Reported

WEEK = 7 * DAY


class WholeLife:
    """The sum of the days of one account, which are noted in ascending order."""

    def __init__(
        self,
        state: AccountState,
        planner: Planner,
        days: Window,
        *,
        created: date | None = None,
        earlier: Window | None = None,
    ) -> None:
        """Take the state, the newest days to read, and those that an earlier start_date adds.

        `created` is when the account was created, if this is a first load.
        """
        self._state = state
        self._planner = planner
        self._starts = days.start
        self._ends = days.end
        self._bookmark = state.bookmark or days.start
        self._newest: dict[date, Decimal] = {}
        since = planner.since(state)
        if any(each.start < days.start and each.end >= since for each in state.unlogged_days):
            # What start_date left out for a while: its first day, the bookmark, has been counted.
            state.sums = {}
        self._is_counting = days.days > 0 and planner.granularity.first(days.end) >= self._bookmark
        if self._is_counting:
            self._begin(days.start, created, earlier)
        self._sums = {**state.sums}
        self._up_to_now = self._sums.get(days.start, ZERO)
        # No run reads the days before this one again, unless a setting changes.
        self._kept_before = min(self._sums, default=days.start)
        self._kept = self._sums.get(self._kept_before, ZERO)

    def _begin(self, start: date, created: date | None, earlier: Window | None) -> None:
        state, known = self._state, self._state.history
        if state.bookmark is None or known is None or start not in state.sums:
            # A first load; or an older version wrote the state, or a setting has changed.
            is_whole = created is not None and start <= created
            self._begin_history(start, ZERO if is_whole else None)
            state.sums = {start: ZERO}
        elif earlier and earlier.end + DAY == known.first:
            self._begin_history(earlier.start, None)

    def _begin_history(self, first: date, before: Decimal | None) -> None:
        known = self._state.history or History(first)
        self._state.history = History(
            first,
            before,
            more_since=first,
            said=known.said,
            warned=known.warned,
            less=known.less,
            looked=self._planner.today,
            uncompared_since=known.uncompared_since,
        )

    def note(self, day: date, total: UsageRecord | None) -> None:
        """Add the `totalprice` of a day, and put the sums into the state."""
        state, planner, sums = self._state, self._planner, self._sums
        price = (total and total.price) or ZERO
        following = planner.granularity.following(day)
        if day < self._starts:
            was_missing = any(day in window for window in state.missing_days)
            if was_missing and state.history and day >= state.history.first:
                self._add_missing(day, price)
            return
        if not self._is_counting or not state.history:
            return
        self._newest[day] = price
        sums[day] = self._up_to_now
        with localcontext(EXACT):
            self._up_to_now += price
        sums[following] = self._up_to_now
        # The next run may begin with the bookmark, or as long before as its lookback; and if runs
        # begin with the bookmark for a while, the one after them with a later day.
        again = max(planner.less_lookback(max(day, self._bookmark)), state.history.first)
        first, last = planner.granularity.first(again), again + MAX_AGE * DAY
        for each in [each for each in sums if each < first]:
            del sums[each]
        state.sums = {
            each: before
            for each, before in sums.items()
            if each <= last or each in {day, following}
        }

    def _add_missing(self, day: date, price: Decimal) -> None:
        with localcontext(EXACT):
            for each in [each for each in self._sums if each > day]:
                self._sums[each] += price
            self._up_to_now += price
            if day < self._kept_before:
                self._kept += price
        self._state.sums = {**self._sums}

    def _begin_with_loaded_days(self, outside: Outside, known: History) -> None:
        """Begin a new history with the days that earlier runs have loaded, as Twilio has them now.

        Otherwise what Twilio restates of them later would be none of this history. Raises ApiError.
        """
        if known.before is not None:
            return
        first, price = outside.fetch_earlier_days()
        with localcontext(EXACT):
            sums = {each: price + before for each, before in self._state.sums.items()}
            self._up_to_now += price
            self._kept += price
        self._state.sums, known.first, known.more_since = sums, first, first

    def end(self, account: Account, history: Collection[Reported], endpoints: Endpoints) -> bool:
        """Log how the days differ from the history. Return whether they are the whole of it."""
        state, planner, known = self._state, self._planner, self._state.history
        totals = [each for each in history if normalise(each.category) == TOTAL]
        if not self._is_counting or known is None:
            return False  # a later run compares
        if state.first_rows is None or state.first_rows > planner.today - NEW:
            return False  # so it does for a new account
        if not totals:
            self._note_uncompared(known, ApiError("AllTime has no totalprice"))
            return False
        outside = Outside(account, endpoints, state, planner, self._ends)
        try:
            self._begin_with_loaded_days(outside, known)
            with localcontext(EXACT):
                left = sum((each.price or ZERO for each in totals), ZERO)
                left -= self._up_to_now
            known = self._compare(outside, known, left)
            self._look_again(outside, known)
        except Unanswered:
            return False
        except ApiError as error:
            self._note_uncompared(state.history or known, error)
            return False
        known.uncompared_since = None
        return known.before == 0 and not state.missing_days and planner.reads_up_to_today

    def _compare(self, outside: Outside, known: History, left: Decimal) -> History:
        """Log what AllTime has more or less than all days. Return the new history."""
        state, planner = self._state, self._planner
        with localcontext(EXACT):
            more = outside.more(left + known.lowered)
        period = planner.granularity.period
        prices = [(period(day), price) for day, price in self._newest.items()]
        prices += [(DAILY.period(day), price) for day, price in outside.after.items()]
        run = Comparison(
            planner.today,
            more,
            rounding=outside.rounding,
            late=late(prices, planner.today),
            reads_up_to_today=planner.reads_up_to_today,
            has_missing_days=bool(state.logged_days),
        )
        verdict = judge(known, run)
        self._accept(verdict)
        if verdict.to_confirm is not None:
            verdict = confirm(verdict, run, outside.more_now(verdict.to_confirm))
            self._accept(verdict)
        return verdict.history

    def _note_uncompared(self, known: History, error: ApiError) -> None:
        """Log why there is no comparison: as a warning once a week, if none succeeds."""
        today = self._planner.today
        known.uncompared_since = known.uncompared_since or today
        is_warning = today - known.uncompared_since >= WEEK
        if is_warning:
            known.uncompared_since = today
        self._log_uncompared(logging.WARNING if is_warning else logging.INFO, error)

    def _log_uncompared(self, level: int, error: ApiError) -> None:
        self._planner.logger.log(
            level,
            "%s: its days cannot be compared with Twilio's AllTime; a later run tries again: %s",
            *(self._state.name, error),
        )

    def _accept(self, verdict: Verdict) -> None:
        """Keep the history in the state, and log what is to be said."""
        state = self._state
        state.history = verdict.history
        for finding in verdict.findings:
            self._planner.logger.log(
                logging.WARNING if finding.is_warning else logging.INFO,
                "%s",
                words(
                    state.name,
                    finding,
                    verdict.history,
                    includes_subaccounts=state.context.includes_subaccounts,
                ),
            )

    def _look_again(self, outside: Outside, known: History) -> None:
        """Once a month, ask for the days that no run reads again, and log what they have less."""
        state, today = self._state, self._planner.today
        if known.looked and MONTHLY.first(known.looked) == MONTHLY.first(today):
            return
        first = max(known.first, state.first_rows or known.first)
        days = Window(first, self._kept_before - DAY)
        try:
            found = outside.fetch_days(days)
        except NotFound as error:  # it may never list them again: not in every run
            known.looked = today
            self._log_uncompared(logging.INFO, error)
            return
        with localcontext(EXACT):
            lowered = max(ZERO, self._kept - found)
        if lowered > known.lowered + outside.rounding:
            self._planner.logger.warning(
                "%s: Twilio's days of %s together have %s less than when they were last read; load "
                "them again with --full-refresh",
                *(state.name, days, f"{lowered:,f}"),
            )
        known.looked, known.lowered = today, lowered
