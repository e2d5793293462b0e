"""Days for which Twilio has no record though it should: found, remembered, and asked for again.

Twilio lists every category for every day of an account's life, zeros included. So a day without any
record is not a day without usage: the API has not answered for it. Such days are kept in the state,
and every run asks for them until they answer. Pure, but for the log.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from tap_twilio_usage.logs.wording import count
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
        if state.used_categories and state.first_rows is None:
            state.first_rows = state.bookmark  # version 0.1.0 remembered only the categories
        self._had_rows = bool(state.first_rows or state.used_categories)
        self._is_over = False  # any period that was asked for
        self._before = tuple(state.missing_days)
        if created and state.first_rows and not state.context.includes_subaccounts:
            # The rows before may be those of a subaccount, from before a change of `subaccounts`.
            state.first_rows = max(state.first_rows, planner.granularity.first(created + DAY))

    @property
    def may_advance(self) -> bool:
        """Whether the bookmark may move: not past days of an account that never had a record."""
        return self._had_rows

    def note(self, period: Window, rows: Collection[object]) -> None:
        """Note whether a period that was asked for has records."""
        state = self._state
        if rows:
            self._had_rows = True
            state.first_rows = min(state.first_rows or period.start, period.start)
            state.last_rows = max(state.last_rows or period.start, period.start)
        is_over = self._is_period_over(period)
        self._is_over = self._is_over or is_over
        if not rows and is_over and self._account_existed(period):
            state.missing_days = merged([*state.missing_days, period])
        else:
            state.missing_days = without(state.missing_days, period)

    def end(self, days: Window) -> None:
        """Log the days that are missing since this run.

        Raises ApiError if no run has found a record yet, though the account has spend.
        """
        state = self._state
        if not self._had_rows and self._is_over:
            state.missing_days = []
            self._nothing_at_all(days)
            return
        self._note_months_before_creation()
        for window in state.missing_days:
            if window not in self._before:
                self._planner.logger.warning(
                    "%s: Twilio has no record for %s (%s), though the account existed; every run "
                    "asks again until it has",
                    state.name,
                    window,
                    count(window.days, "day"),
                )

    def _nothing_at_all(self, days: Window) -> None:
        if self._has_spend:
            raise ApiError(
                f"Twilio's AllTime shows spend, but there is no record for any day of {days}; the "
                "bookmark stays where it is: run the tap again later"
            )
        self._planner.logger.warning(
            "%s: Twilio has no record for any day of %s, not even zeros; the next run asks again",
            self._state.name,
            days,
        )

    def _note_months_before_creation(self) -> None:
        """Note the days of the first month with usage as missing if none has any record.

        Such usage is that of a subaccount that is older than the main account.
        """
        since, created = self._used_since, self._created
        if since is None or created is None or since >= created:
            return
        last = min(MONTHLY.following(MONTHLY.first(since)), created) - DAY
        if self._state.first_rows is None or self._state.first_rows > last:
            unanswered = Window(self._planner.granularity.first(since), last)
            self._state.missing_days = merged([*self._state.missing_days, unanswered])

    def _is_period_over(self, period: Window) -> bool:
        today, granularity = self._planner.today, self._planner.granularity
        return period.end < today and granularity.following(period.start) <= today

    def _account_existed(self, period: Window) -> bool:
        """Return whether the account existed before the period."""
        if self._created is not None and period.end > self._created:
            return True
        first_rows = self._state.first_rows
        return first_rows is not None and period.start >= first_rows
