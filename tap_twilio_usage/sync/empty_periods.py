"""Accounts for which a resource with one period, such as `Yesterday`, has no record.

Twilio lists every category for every day of an account's life, zeros included. So an answer without
any record is normal only for a period that has just begun, and for a new or unused account. Pure,
but for the log and a request for the day of creation.
"""

from __future__ import annotations

from datetime import date

from tap_twilio_usage.logs.wording import Logger, some
from tap_twilio_usage.sync.account import Account
from tap_twilio_usage.sync.state import AccountState
from tap_twilio_usage.twilio.periods import DAY, Granularity, named_days


class EmptyPeriods:
    """The accounts without any record of the period, until they are logged together."""

    def __init__(self, granularity: Granularity, today: date) -> None:
        """Take the resource and today."""
        self._resource = granularity.resource
        self._days = named_days(granularity, today)
        self._last_day = min(self._days.end, today - DAY)  # that is over
        self._missing: list[str] = []
        self._normal: list[str] = []

    def note(self, account: Account, state: AccountState) -> None:
        """Note that there is no record for the account. Raises ApiError."""
        found = self._missing if self._should_have_records(account, state) else self._normal
        found.append(account.sid)

    def log(self, logger: Logger) -> None:
        """Log the accounts."""
        if self._normal:
            logger.info(
                "%s: Twilio has no record for %s, which is normal for a period that has just "
                "begun, and for a new or unused account",
                some(self._normal),
                self._resource,
            )
        if self._missing:
            logger.warning(
                "%s: Twilio has no record for %s, though it should list every category; nothing is "
                "loaded, and the target keeps the rows of earlier runs; the next run asks again",
                some(self._missing),
                self._resource,
            )

    def _should_have_records(self, account: Account, state: AccountState) -> bool:
        """Return whether the period had records before, or the account existed before its end."""
        if state.last_rows in self._days:
            return True
        if self._last_day not in self._days:
            return False
        if state.first_day is not None and state.first_day <= self._last_day:
            return True
        all_time = account.fetch_all_time()
        if all_time and not any(reported.amounts for reported in all_time):
            return False
        created = account.fetch_date_created()
        return created is None or created < self._last_day
