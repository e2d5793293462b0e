"""What is asked of Twilio to compare it with the rows. The rows themselves need none of it.

Until retries are exhausted, minutes pass. So an account is not asked again in the run for what it
did not answer; and after two accounts in a row no other one is: each of hundreds would wait.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import date
from typing import TypeVar

from tap_twilio_usage.money.hierarchy import TOTAL
from tap_twilio_usage.money.usage_record import Periods, Totals
from tap_twilio_usage.sync.account import Account
from tap_twilio_usage.twilio.errors import ApiError, RetriesExhausted
from tap_twilio_usage.twilio.periods import Granularity, Window

T = TypeVar("T")


class Unanswered(ApiError):
    """An endpoint does not answer in this run, as the log has said; a later run compares."""


class Endpoints:
    """The endpoints that comparisons ask, for all streams of a run; safe to use from many threads.

    The methods raise Unanswered, RetriesExhausted if only this account does not answer, or another
    ApiError.
    """

    def __init__(self, logger: logging.Logger) -> None:
        """Start with endpoints that answer."""
        self._logger = logger
        self._lock = threading.Lock()
        self._given_up: set[str] = set()
        # By endpoint and account.
        self._errors: dict[tuple[str, str], RetriesExhausted] = {}
        # By endpoint, the account that did not answer last, until another one answers.
        self._last: dict[str, str] = {}

    def fetch_totals(
        self, account: Account, granularity: Granularity, window: Window, *, at_once: bool = False
    ) -> Totals:
        """Return the `totalprice` of each of the window's periods, as the account does."""
        return self._ask(
            f"Usage/Records/{granularity.resource}.json?Category={TOTAL}",
            account,
            lambda: account.fetch_totals(granularity, window, at_once=at_once),
        )

    def fetch_usage(self, account: Account, granularity: Granularity, window: Window) -> Periods:
        """Return the records of the window's periods, as the account does."""
        return self._ask(
            f"Usage/Records/{granularity.resource}.json",
            account,
            lambda: account.fetch_usage(granularity, window),
        )

    def fetch_owner(self, account: Account) -> str | None:
        """Return the SID of its main account, which may be itself; None if it cannot be read."""
        return self._ask("Accounts/{Sid}.json", account, account.fetch_owner)

    def fetch_date_created(self, account: Account) -> date | None:
        """Return the day on which the account was created; None if it cannot be read."""
        return self._ask("Accounts/{Sid}.json", account, account.fetch_date_created)

    def fetch_existing(self, account: Account, days: Window) -> Window:
        """Return those of the days on which the account existed, as far as that can be read.

        Twilio has no answer for a range that begins before the creation.
        """
        created = self.fetch_date_created(account) or days.start
        return Window(max(days.start, created), days.end)

    def _ask(self, endpoint: str, account: Account, fetch: Callable[[], T]) -> T:
        if endpoint not in self._given_up:
            if error := self._errors.get((endpoint, account.sid)):
                raise error
            try:
                found = fetch()
            except RetriesExhausted as error:
                self._note(endpoint, account.sid, error)
                if endpoint not in self._given_up:
                    raise
            except ApiError:  # an answer, too
                self._last.pop(endpoint, None)
                raise
            else:
                self._last.pop(endpoint, None)
                return found
        raise Unanswered(f"{endpoint} does not answer")

    def _note(self, endpoint: str, sid: str, error: RetriesExhausted) -> None:
        with self._lock:
            self._errors[endpoint, sid] = error
            is_second = self._last.get(endpoint, sid) != sid
            self._last[endpoint] = sid
            if is_second and endpoint not in self._given_up:
                self._given_up.add(endpoint)
                self._logger.warning(
                    "comparisons do not ask %s again in this run; a later run tries again: %s",
                    endpoint,
                    error,
                )
