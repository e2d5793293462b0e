"""Days for which Twilio has no record though it should: found, remembered, and asked for again.

Twilio lists every category for every day of an account's life, zeros included. So a day without any
record is not a day without usage: the API has not answered for it. Such days are kept in the state,
and every run asks for them until they answer. Pure, but for the log.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from tap_twilio_usage.logs.wording import count
from tap_twilio_usage.money.usage_record import UsageRecord, is_zero
from tap_twilio_usage.sync.difference import NEW
from tap_twilio_usage.sync.first_day import FirstDay
from tap_twilio_usage.sync.plan import Planner
from tap_twilio_usage.sync.state import AccountState
from tap_twilio_usage.twilio.errors import ApiError
from tap_twilio_usage.twilio.periods import (
    DAY,
    EARLIEST,
    MONTHLY,
    Window,
    merged,
    without,
    without_all,
)


class MissingDays:
    """The missing days of one account, as its state remembers them."""

    def __init__(
        self,
        state: AccountState,
        planner: Planner,
        *,
        first_day: FirstDay | None,
        has_spend: bool,
    ) -> None:
        """Take the state, the planner, and the account's first day, if this run asked for it.

        `has_spend` is whether Twilio's AllTime shows any amount.
        """
        self._state = state
        self._planner = planner
        created = first_day.created if first_day else None
        self._created = created
        self._used_since = first_day.used_since if first_day else None
        self._is_creation_unknown = first_day is not None and created is None
        self._is_first_load = state.bookmark is None
        # AllTime of a new account may be ahead of its days.
        self._is_new = created is not None and created > planner.today - NEW
        self._has_spend = has_spend and not self._is_new
        if state.used_categories and state.first_rows is None and state.bookmark:
            state.first_rows = state.bookmark  # version 0.1.0 remembered only the categories
        self._had_rows = state.first_rows is not None
        self._had_amounts = False
        self._asked: list[Window] = []
        self._missing: list[Window] = []  # of those
        self._before = tuple(state.missing_days)
        if (
            created
            and state.first_rows
            and self._is_first_load
            and not state.context.includes_subaccounts
        ):
            # The rows before may be those of a subaccount, from before a change of `subaccounts`.
            state.first_rows = max(state.first_rows, planner.granularity.first(created + DAY))

    @property
    def may_advance(self) -> bool:
        """Whether the bookmark may move: not before the first record, or the first spend."""
        return self._had_rows and (self._had_amounts or not self._must_have_amounts)

    def note(self, period: Window, rows: Collection[UsageRecord]) -> None:
        """Note whether a period that was asked for has records; `end_date` may have cut it off."""
        state = self._state
        is_over = self._planner.is_over(period)
        if is_over:
            period = self._planner.granularity.period(period.start)
        self._asked = merged([*self._asked, period])
        if not rows:
            if is_over and self.should_have_rows(period):
                self._missing = merged([*self._missing, period])
                state.missing_days = merged([*state.missing_days, period])
            return
        self._had_amounts = self._had_amounts or not all(map(is_zero, rows))
        if state.missing_days or state.logged_days:
            state.missing_days = without(state.missing_days, period)
            state.logged_days = without(state.logged_days, period)
        if not self._had_rows:
            self._note_days_of_subaccounts(period.start)
        self._had_rows = True
        state.first_rows = min(state.first_rows or period.start, period.start)
        state.last_rows = max(state.last_rows or period.start, period.start)

    def end(self, days: Window) -> None:
        """Log the days that are missing and that no run has logged yet.

        Raises ApiError if no run has found a record yet, though the account has spend.
        """
        state = self._state
        if not self.may_advance and any(map(self._planner.is_over, self._asked)):
            self._found_nothing(days)
            return
        if self._is_creation_unknown and state.first_rows:
            self._drop_unknown_days(Window(EARLIEST, state.first_rows - DAY))
        found = without_all(self._missing, state.logged_days)
        logger = self._planner.logger
        for window in found:
            if any(window.start - DAY in gap for gap in state.logged_days):
                logger.info("%s: Twilio still has no record, now for %s", state.name, window)
                continue
            logger.warning(
                "%s: Twilio has no record for %s (%s), though the account existed; every run asks "
                "again until it has",
                state.name,
                window,
                count(window.days, "day"),
            )
        state.logged_days = merged([*state.logged_days, *found])

    @property
    def _must_have_amounts(self) -> bool:
        """Whether this run loads the whole life of an account that has spend."""
        created, asked = self._created, self._asked
        is_whole = (
            created and asked and asked[0].start <= created and self._planner.reads_up_to_today
        )
        return bool(is_whole) and self._is_first_load and self._has_spend

    def _found_nothing(self, days: Window) -> None:
        """Log that there is nothing at all, or raise ApiError if that cannot be."""
        state, logger = self._state, self._planner.logger
        existed = self._planner.reads_up_to_today or bool(self._created and self._missing)
        state.missing_days = list(self._before)
        if self._has_spend and existed:
            what = "spend in any day" if self._had_rows else "record for any day"
            raise ApiError(
                f"Twilio's AllTime shows spend, but there is no {what} of {days}; the "
                "bookmark stays where it is: run the tap again later"
            )
        if self._is_new:
            logger.info("%s is new and has no record yet; the next run asks again", state.name)
            return
        if self._created and days.end < self._created:
            return
        logger.warning(
            "%s: Twilio has no record for any day of %s, not even zeros; the next run asks again",
            state.name,
            days,
        )

    def _note_days_of_subaccounts(self, first_rows: date) -> None:
        """Note the days before the main account's creation, if its subaccounts had usage then."""
        state, since, created = self._state, self._used_since, self._created
        if not since or not created:
            return
        end_of_month = MONTHLY.period(since).end
        if first_rows > min(end_of_month, created - DAY):
            first = self._planner.granularity.first(since)
            unanswered = Window(first, min(first_rows, created) - DAY)
            self._missing = merged([*self._missing, unanswered])
            state.missing_days = merged([*state.missing_days, unanswered])

    def _drop_unknown_days(self, before: Window) -> None:
        """Log the days before the first record, and ask for them no more."""
        known = without(self._missing, before)
        for window in without_all(self._missing, known):
            self._planner.logger.warning(
                "%s: Twilio has no record for %s; whether the account existed then cannot be read "
                "with these credentials",
                self._state.name,
                window,
            )
            self._state.missing_days = without(self._state.missing_days, window)
        self._missing = known

    def should_have_rows(self, period: Window) -> bool:
        """Return whether the account existed before the period, or the period is asked again.

        If it is unknown when the account was created, `end` decides.
        """
        if self._is_creation_unknown or (self._created and period.end > self._created):
            return True
        first_rows = self._state.first_rows
        if first_rows is not None and period.start >= first_rows:
            return True
        return any(period.start in window for window in self._before)
