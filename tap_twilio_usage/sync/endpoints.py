"""What is asked of Twilio to compare it with the rows. The rows themselves need none of it.

Until retries are exhausted, minutes pass. So an endpoint for which they were is not asked again in
the run: each of hundreds of accounts would wait for it.
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

    The methods raise Unanswered, or another ApiError.
    """

    def __init__(self, logger: logging.Logger) -> None:
        """Start with endpoints that answer."""
        self._logger = logger
        self._lock = threading.Lock()
        self._unanswered: set[str] = set()

    def fetch_totals(
        self, account: Account, granularity: Granularity, window: Window, *, at_once: bool = False
    ) -> Totals:
        """Return the `totalprice` of each of the window's periods, as the account does."""
        return self._ask(
            f"Usage/Records/{granularity.resource}.json?Category={TOTAL}",
            lambda: account.fetch_totals(granularity, window, at_once=at_once),
        )

    def fetch_usage(self, account: Account, granularity: Granularity, window: Window) -> Periods:
        """Return the records of the window's periods, as the account does."""
        return self._ask(
            f"Usage/Records/{granularity.resource}.json",
            lambda: account.fetch_usage(granularity, window),
        )

    def fetch_owner(self, account: Account) -> str | None:
        """Return the SID of its main account, which may be itself; None if it cannot be read."""
        return self._ask("Accounts/{Sid}.json", account.fetch_owner)

    def fetch_date_created(self, account: Account) -> date | None:
        """Return the day on which the account was created; None if it cannot be read."""
        return self._ask("Accounts/{Sid}.json", account.fetch_date_created)

    def _ask(self, endpoint: str, fetch: Callable[[], T]) -> T:
        if endpoint not in self._unanswered:
            try:
                return fetch()
            except RetriesExhausted as error:
                self._note(endpoint, error)
        raise Unanswered(f"{endpoint} does not answer")

    def _note(self, endpoint: str, error: RetriesExhausted) -> None:
        with self._lock:
            if endpoint not in self._unanswered:
                self._unanswered.add(endpoint)
                self._logger.warning(
                    "comparisons do not ask %s again in this run; a later run tries again: %s",
                    endpoint,
                    error,
                )
