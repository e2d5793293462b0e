"""What the parts of one run of a stream share: the accounts, the settings, the state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

from tap_twilio_usage.logs.anomalies import Findings
from tap_twilio_usage.money.usage_record import Periods
from tap_twilio_usage.sync.category_filter import CategoryFilter
from tap_twilio_usage.sync.plan import Planner
from tap_twilio_usage.sync.state import AccountState, UsageState
from tap_twilio_usage.twilio.periods import Granularity, Window
from tap_twilio_usage.twilio.usage_records import Reported


class Account(Protocol):
    """An account whose usage records can be read. Its methods ask Twilio; they raise ApiError."""

    @property
    def sid(self) -> str:
        """Its SID."""

    @property
    def includes_subaccounts(self) -> bool:
        """Whether the amounts include those of subaccounts."""

    @property
    def findings(self) -> Findings:
        """What was found in the records that is worth a word in the log."""

    def fetch_all_time(self) -> list[Reported]:
        """Return each category with its whole history."""

    def fetch_date_created(self) -> date | None:
        """Return the day the account began, if these credentials can read it."""

    def fetch_usage(self, granularity: Granularity, window: Window) -> Periods:
        """Return the records of each period of the window that has any, by its first day."""

    def fetch_current_usage(self, granularity: Granularity) -> Periods:
        """Return the records of the one period that the resource stands for."""


@dataclass
class Run:
    """One run of the usage records of one granularity.

    `main` is the main account, `accounts` are those to read, by SID. `save` writes the state; with
    a number of rows, only if enough have come since it was last written. `version` is the tap's.
    """

    main: Account
    accounts: Mapping[str, Account]
    state: UsageState
    planner: Planner
    save: Callable[[int | None], None]
    max_requests: int
    version: str
    _main_usage: Periods | None = field(init=False, default=None)

    def account(self, sid: str) -> Account | None:
        """Return an account that can be read: the main one too, if it is not to be read."""
        return self.main if sid == self.main.sid else self.accounts.get(sid)

    def categories(self, account: Account, state: AccountState) -> CategoryFilter:
        """Return the filter of the account's rows."""
        skip_unused = self.planner.settings.skip_unused_categories
        return CategoryFilter(state, account.fetch_all_time(), skip_unused=skip_unused)

    def fetch_current_usage(self, account: Account) -> Periods:
        """Return what a resource that stands for one period reports; ask the main account once."""
        granularity = self.planner.granularity
        if account is not self.main:
            return account.fetch_current_usage(granularity)
        if self._main_usage is None:
            self._main_usage = account.fetch_current_usage(granularity)
        return self._main_usage
