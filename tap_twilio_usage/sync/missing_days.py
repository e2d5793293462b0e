"""Days for which Twilio has no record though it should: found, remembered, and asked for again.

Twilio lists every category for every day of an account's life, zeros included. So a day without any
record is not a day without usage: the API has not answered for it. Such days are kept in the state,
and every run asks for them until they answer. Pure, but for the log.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from tap_twilio_usage.logs.wording import Logger, count
from tap_twilio_usage.sync.state import AccountState
from tap_twilio_usage.twilio.errors import ApiError
from tap_twilio_usage.twilio.periods import Granularity, Window, merged, without


class MissingDays:
    """The missing days of one account, as its state remembers them."""

    def __init__(
        self,
        state: AccountState,
        granularity: Granularity,
        *,
        created: date | None,
        today: date,
        has_spend: bool,
    ) -> None:
        """Take the state, the day the account was `created`, if known, and today.

        `has_spend` is whether Twilio's AllTime shows any amount.
        """
        self._state = state
        self._granularity = granularity
        self._created = created
        self._today = today
        self._has_spend = has_spend
        self._had_rows = state.first_rows is not None or state.bookmark is not None
        self._before = tuple(state.missing_days)

    @property
    def may_advance(self) -> bool:
        """Whether the bookmark may move: not past days of a load that has found nothing at all."""
        return self._had_rows or not self._has_spend

    def note(self, period: Window, rows: Collection[object]) -> None:
        """Note whether a period that was asked for has records."""
        state = self._state
        if rows:
            self._had_rows = True
            state.first_rows = min(state.first_rows or period.start, period.start)
            state.last_rows = max(state.last_rows or period.start, period.start)
        if not rows and self._should_have_rows(period):
            state.missing_days = merged([*state.missing_days, period])
        else:
            state.missing_days = without(state.missing_days, period)

    def end(self, days: Window, logger: Logger) -> None:
        """Log the days that are missing since this run.

        Raises ApiError if a first load has found no record at all, though the account has spend.
        """
        name = self._state.context.account_sid
        if not self.may_advance and self._state.missing_days:
            self._state.missing_days = []
            raise ApiError(
                f"Twilio's AllTime shows spend, but there is no record for any day of {days}; the "
                "bookmark stays where it is: run the tap again later"
            )
        found = [each for each in self._state.missing_days if each not in self._before]
        for window in found:
            logger.warning(
                "%s: Twilio has no record for %s (%s), though the account existed; every run asks "
                "again until it has",
                name,
                window,
                count(window.days, "day"),
            )

    def _should_have_rows(self, period: Window) -> bool:
        """Return whether the account existed before the period, which is over."""
        if period.end >= self._today or self._granularity.following(period.start) > self._today:
            return False
        if self._created is not None and period.end > self._created:
            return True
        first_rows = self._state.first_rows
        return first_rows is not None and period.start >= first_rows
