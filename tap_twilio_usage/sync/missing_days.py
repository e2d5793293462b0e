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
from tap_twilio_usage.sync.plan import Planner
from tap_twilio_usage.sync.state import AccountState
from tap_twilio_usage.twilio.errors import ApiError
from tap_twilio_usage.twilio.periods import DAY, MONTHLY, Window, merged, without


class MissingDays:
    """The missing days of one account, as its state remembers them."""

    def __init__(
        self,
        state: AccountState,
        planner: Planner,
        *,
        created: date | None,
        used_since: date | None,
        has_spend: bool,
    ) -> None:
        """Take the state, the planner, and the day the account was `created`, if known.

        `used_since` is the first day of the first month that is known to have usage, if that is
        before the account was created. `has_spend` is whether Twilio's AllTime shows any amount.
        """
        self._state = state
        self._planner = planner
        self._created = created
        self._used_since = used_since
        self._has_spend = has_spend
        self._is_first_load = state.bookmark is None
        if state.used_categories and state.first_rows is None:
            state.first_rows = state.bookmark  # version 0.1.0 remembered only the categories
        self._had_rows = state.first_rows is not None
        self._had_amounts = False
        self._starts: date | None = None  # the first period that was asked for
        self._is_over = False  # any period that was asked for
        self._before = tuple(state.missing_days)
        if created and state.first_rows and not state.context.includes_subaccounts:
            # The rows before may be those of a subaccount, from before a change of `subaccounts`.
            state.first_rows = max(state.first_rows, planner.granularity.first(created + DAY))

    @property
    def may_advance(self) -> bool:
        """Whether the bookmark may move: not before the first record, or the first spend."""
        return self._had_rows and (self._had_amounts or not self._must_have_amounts)

    @property
    def _must_have_amounts(self) -> bool:
        """Whether this run loads the whole life of an account that has spend."""
        starts, created = self._starts, self._created
        is_whole = starts is not None and created is not None and starts <= created
        return self._is_first_load and self._has_spend and is_whole

    def note(self, period: Window, rows: Collection[UsageRecord]) -> None:
        """Note whether a period that was asked for has records."""
        state = self._state
        self._starts = self._starts or period.start
        if rows:
            self._had_rows = True
            self._had_amounts = self._had_amounts or not all(map(is_zero, rows))
            state.first_rows = min(state.first_rows or period.start, period.start)
            state.last_rows = max(state.last_rows or period.start, period.start)
        is_over = self._planner.granularity.following(period.start) <= self._planner.today
        self._is_over = self._is_over or is_over
        if not rows and is_over and self._account_existed(period):
            state.missing_days = merged([*state.missing_days, period])
        else:
            state.missing_days = without(state.missing_days, period)

    def end(self, days: Window) -> None:
        """Log the days that are missing since this run.

        Raises ApiError if no run has found a record yet, though the account has spend.
        """
        state, logger = self._state, self._planner.logger
        if self._is_over and not self._had_rows:
            state.missing_days = []
        if self._is_over and not self.may_advance:
            self._found_nothing(days)
            return
        self._note_days_before_creation()
        for window in state.missing_days:
            if window not in self._before:
                logger.warning(
                    "%s: Twilio has no record for %s (%s), though the account existed; every run "
                    "asks again until it has",
                    state.name,
                    window,
                    count(window.days, "day"),
                )
        first, starts = state.first_rows, self._starts
        if self._is_first_load and not self._created and first and starts and starts < first:
            logger.warning(
                "%s: Twilio has no record for %s; whether the account existed then cannot be read "
                "with these credentials",
                state.name,
                Window(starts, first - DAY),
            )

    def _found_nothing(self, days: Window) -> None:
        if self._has_spend:
            what = "spend in any day" if self._had_rows else "record for any day"
            raise ApiError(
                f"Twilio's AllTime shows spend, but there is no {what} of {days}; the "
                "bookmark stays where it is: run the tap again later"
            )
        self._planner.logger.warning(
            "%s: Twilio has no record for any day of %s, not even zeros; the next run asks again",
            self._state.name,
            days,
        )

    def _note_days_before_creation(self) -> None:
        """Note the days up to the first rows as missing if the first month with usage has none.

        Such usage is that of a subaccount that is older than the main account.
        """
        since, created, first_rows = self._used_since, self._created, self._state.first_rows
        if since is None or created is None or since >= created:
            return
        end_of_month = MONTHLY.following(MONTHLY.first(since)) - DAY
        if first_rows is None or first_rows > min(end_of_month, created - DAY):
            first = self._planner.granularity.first(since)
            unanswered = Window(first, min(first_rows or created, created) - DAY)
            self._state.missing_days = merged([*self._state.missing_days, unanswered])

    def _account_existed(self, period: Window) -> bool:
        """Return whether the account existed before the period."""
        if self._created is not None and period.end > self._created:
            return True
        first_rows = self._state.first_rows
        return first_rows is not None and period.start >= first_rows
