"""An account as a run of usage records sees it."""

from __future__ import annotations

from datetime import date
from typing import Protocol

from tap_twilio_usage.logs.anomalies import Findings
from tap_twilio_usage.money.usage_record import Periods, Totals
from tap_twilio_usage.twilio.periods import Granularity, Window
from tap_twilio_usage.twilio.usage_records import Reported


class Account(Protocol):
    """An account whose usage records can be read. The methods make requests and raise ApiError."""

    @property
    def sid(self) -> str:
        """The SID of the account."""

    @property
    def includes_subaccounts(self) -> bool:
        """Whether the amounts include those of subaccounts."""

    @property
    def findings(self) -> Findings:
        """What was unusual about the records, for the log."""

    def fetch_all_time(self) -> list[Reported]:
        """Return each category with the sum of its whole history."""

    def fetch_date_created(self) -> date | None:
        """Return the day on which the account was created; None if it cannot be read."""

    def fetch_owner(self) -> str | None:
        """Return the SID of its main account, which may be itself; None if it cannot be read."""

    def fetch_usage(self, granularity: Granularity, window: Window) -> Periods:
        """Return the records of the window's periods, by their first days; none are empty."""

    def fetch_totals(
        self, granularity: Granularity, window: Window, *, at_once: bool = False
    ) -> Totals:
        """Return the `totalprice` of each of the window's periods that has one.

        `at_once`: a 404 is raised as NotFound, and no period is requested by itself.
        """

    def fetch_current_usage(self, granularity: Granularity) -> Periods:
        """Return the records of a resource with a single period, such as `Today`."""
