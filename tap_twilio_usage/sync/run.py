"""One run of a usage record stream: its accounts, its settings and its state."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from tap_twilio_usage.money.usage_record import Periods
from tap_twilio_usage.sync.account import Account
from tap_twilio_usage.sync.category_filter import CategoryFilter
from tap_twilio_usage.sync.endpoints import Endpoints
from tap_twilio_usage.sync.plan import Planner
from tap_twilio_usage.sync.state import AccountContext, AccountState, UsageState
from tap_twilio_usage.twilio.periods import Window

MANY_ACCOUNTS = 50  # with more, the state is written less often


@dataclass(frozen=True)
class Company:
    """A main account with its accounts to read, by SID.

    With `separates`, subaccounts have rows of their own. `listed` are all of Twilio's list, also
    those that this run does not read, and `together` is the main account with its subaccounts, if
    the rows of all accounts have to add up to it; `compared` are the days for which another stream
    of this run has compared them. If the rows of the main account include its subaccounts,
    `without_subaccounts` is the account without them, and `fetch_subaccounts` returns these, where
    the credentials can list them.
    """

    main: Account
    accounts: Mapping[str, Account]
    separates: bool = False
    listed: Collection[Account] = ()
    together: Account | None = None
    compared: list[Window] = field(default_factory=list)
    without_subaccounts: Account | None = None
    fetch_subaccounts: Callable[[], Sequence[Account]] | None = None

    def has_compared(self, days: Window) -> bool:
        """Return whether another stream of this run has compared these days."""
        return any(days.start in each and days.end in each for each in self.compared)


@dataclass
class Run:
    """One run of the usage records of one granularity, or of the months and their days.

    Each account to read is in one of the `companies`. `write_state` writes the state if it has
    changed. `save` does so as well, but with many accounts less often; given a number of emitted
    rows, only if there are enough since the last STATE. `version` is the tap's. All streams share
    the `endpoints` of comparisons. `emits_focus` is whether each row goes out with its FOCUS row.
    """

    companies: Sequence[Company]
    state: UsageState
    planner: Planner
    write_state: Callable[[], None]
    save: Callable[[int | None], None]
    max_requests: int
    version: str
    endpoints: Endpoints
    emits_focus: bool = False
    _companies: dict[str, Company] = field(init=False)
    _main_usage: dict[str, Periods] = field(init=False, default_factory=dict)
    _interrupted_up_to: date | None = field(init=False, default=None)
    _interrupted_categories: tuple[str, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        """Find the company of each account."""
        self._companies = {
            sid: company
            for company in self.companies
            for sid in (company.main.sid, *company.accounts)
        }

    def begin(self) -> None:
        """Note in the state up to which day rows may go out, which an interrupted run leaves there.

        The state must be written before the first row is emitted.
        """
        self._interrupted_categories = tuple(self.state.used_categories)
        self._interrupted_up_to, last = self.state.reading_up_to, self.planner.last_period
        self.state.reading_up_to = max(self._interrupted_up_to or last, last)
        if not self.emits_focus:
            for partition in self.state.partitions:
                partition.note_days_without_focus(self.planner.days_to_read_again(partition))

    def end(self, read: Collection[AccountContext]) -> None:
        """Note in the state that all rows of the accounts `read` have gone out."""
        interrupted = self._interrupted_up_to
        if interrupted and self.planner.last_period < interrupted:
            return  # an end_date; a later run reads the rest
        for partition in self.state.partitions if interrupted else ():
            if partition.context not in read:
                partition.reading_up_to = interrupted
        self.state.reading_up_to = None
        self.state.used_categories = []
        self.write_state()

    def interrupted_up_to(self, state: AccountState) -> date | None:
        """Return the last day of which an interrupted run may have emitted rows of the account."""
        days = self._interrupted_up_to, state.reading_up_to
        return max(filter(None, days), default=None)

    def save_categories(self, state: AccountState) -> None:
        """Write the state before the first row of a category that is new to the account.

        With many accounts, only if it is new to all of them.
        """
        self.save(None)
        if len(self.state.partitions) > MANY_ACCOUNTS:
            used = sorted({*self.state.used_categories, *(state.used_categories or ())})
            if used != self.state.used_categories:
                self.state.used_categories = used
                self.write_state()

    def emitted_categories(self, state: AccountState) -> set[str]:
        """Return the categories of which the target may have rows of the account."""
        return {*(state.used_categories or ()), *self._interrupted_categories}

    def company(self, sid: str) -> Company | None:
        """Return the company of an account that can be read; None for any other."""
        return self._companies.get(sid)

    def main(self, state: AccountState) -> Account:
        """Return the main account of the account that has this state. There must be one."""
        own, main = state.context.account_sid, state.main_account_sid or ""
        return (self._companies.get(own) or self._companies[main]).main

    def account(self, sid: str) -> Account | None:
        """Return the account: one of those to read, or a main one; None for any other."""
        company = self._companies.get(sid)
        if company is None:
            return None
        return company.main if sid == company.main.sid else company.accounts[sid]

    def categories(self, account: Account, state: AccountState) -> CategoryFilter:
        """Return a filter for the rows of the account."""
        skip_unused = self.planner.settings.skip_unused_categories
        days = state.last_loaded_day(), self.interrupted_up_to(state)
        return CategoryFilter(
            state,
            account.fetch_all_time(),
            emitted=self.emitted_categories(state),
            skip_unused=skip_unused,
            loaded=max(filter(None, days), default=None),
        )

    def fetch_current_usage(self, account: Account) -> Periods:
        """Return the records of a resource with a single period; one request for a main one."""
        granularity = self.planner.granularity
        if self._companies[account.sid].main is not account:
            return account.fetch_current_usage(granularity)
        if account.sid not in self._main_usage:
            self._main_usage[account.sid] = account.fetch_current_usage(granularity)
        return self._main_usage[account.sid]
