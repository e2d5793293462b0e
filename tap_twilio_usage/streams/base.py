"""Base classes of the streams."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from copy import copy
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

from tap_twilio_usage._compat import override
from tap_twilio_usage.config.credentials import Need
from tap_twilio_usage.logs.anomalies import Anomalies
from tap_twilio_usage.singer.sdk import SdkStream, SdkTap
from tap_twilio_usage.streams.session import Session
from tap_twilio_usage.sync.plan import Planner
from tap_twilio_usage.sync.run import MANY_ACCOUNTS, Company, Run
from tap_twilio_usage.sync.state import REPLICATION_KEY
from tap_twilio_usage.twilio.accounts import Accounts
from tap_twilio_usage.twilio.errors import ApiError, Denied, NotFound
from tap_twilio_usage.twilio.periods import Granularity

if TYPE_CHECKING:
    from singer_sdk.helpers.types import Context

ROWS_PER_CONTEXT = 50  # between two STATE messages


class TwilioStream(SdkStream):
    """Base class of all streams. A subclass defines `rows`."""

    def __init__(self, tap: SdkTap, session: Session, name: str | None = None) -> None:
        """Take the session; make no request yet."""
        super().__init__(tap, name=name)
        self.session = session

    @property
    def need(self) -> Need:
        """What the credentials must be able to read."""
        return Need.ACCOUNTS

    @property
    def is_test(self) -> bool:
        """Whether to read one record only, as --test does."""
        return self.ABORT_AT_RECORD_COUNT is not None

    def fetch_accounts(self) -> Accounts:
        """Return the accounts to read; record which connections cannot list theirs."""
        accounts = self.session.fetch_accounts()
        for sid, error in accounts.refused.items():
            if not self.is_test:
                self.fail({"account_sid": sid}, error)
        return accounts

    @property
    def refused(self) -> list[str]:
        """Why the accounts of some connections are not known, one line each."""
        return [str(error) for error in self.session.fetch_accounts().refused.values()]

    def contexts_to_test(self) -> list[dict[str, Any]]:
        """Return a context for each connection; none if the stream has no contexts."""
        firsts = {account.sid for account in self.session.fetch_accounts().first_of_each}
        return [each for each in self.contexts or () if each["account_sid"] in firsts]

    @property
    def max_requests(self) -> int:
        """The number of requests that may be in progress or waiting to be emitted."""
        return 1 if self.is_test else self.session.max_requests

    @cached_property
    def anomalies(self) -> Anomalies:
        """Logs what is unusual about the rows, each kind once."""
        return Anomalies(self.logger)

    @abstractmethod
    def rows(self, context: Context | None) -> Iterator[dict[str, Any]]:
        """Yield the records of one context."""

    @override
    def get_records(self, context: Context | None) -> Iterable[dict[str, Any]]:
        # The SDK ends --test with an exception and logs it as an error; this ends it quietly.
        return islice(self._isolated(context), self.ABORT_AT_RECORD_COUNT)

    def _isolated(self, context: Context | None) -> Iterator[dict[str, Any]]:
        """Yield the records of one context; a failure need not end the others."""
        try:
            yield from self.rows(context)
        except ApiError as error:
            self.fail(context, error)
        else:
            self.session.failures.mark_success()

    def fail(self, context: Context | None, error: ApiError) -> None:
        """Raise the error in --test; otherwise add the stream's name and call `failed`."""
        if self.is_test:
            raise error
        named = copy(error)  # several streams may have the same error
        named.args = (f"{self.name}: {f'{error}'.removeprefix(f'{self.name}: ')}",)
        self.failed(context, named)

    def failed(self, context: Context | None, error: ApiError) -> None:
        """Raise the error, or record it if the other contexts do not depend on this one."""
        if context is None or not self.session.settings.separates_accounts:
            raise error
        sid = context["account_sid"]
        if isinstance(error, Denied | NotFound):
            company = self.session.fetch_accounts().company(sid)
            is_listed = company and company.listed
            to_do = "add it to exclude_account_sids" if is_listed else "remove its connection"
            error = ApiError(f"{error}; if it always does so for this account, {to_do}")
        self.session.failures.add("accounts", sid, error)

    def summarize(self) -> None:
        """End the run: log what is known only now, and note in the state what is complete."""

    def summary(self) -> Iterator[str]:
        """Yield what was loaded of all contexts, in three lines at most."""
        yield from ()


class PeriodStream(TwilioStream):
    """Base class of streams of periods. Each context has a bookmark that moves by whole periods."""

    def __init__(self, tap: SdkTap, session: Session, name: str, granularity: Granularity) -> None:
        """Take the name and the granularity."""
        super().__init__(tap, session, name)
        if not granularity.is_named_period:
            self.replication_key = REPLICATION_KEY
        self.granularity = granularity
        self._rows_since_state = 0

    @property
    def emits_focus(self) -> bool:
        """Whether each row goes out with its FOCUS row."""
        return False

    def planner(self) -> Planner:
        """Return a planner, which decides which days this run reads."""
        return Planner(
            settings=self.session.settings,
            granularity=self.granularity,
            today=self.session.today(),
            is_incremental=self.replication_method == "INCREMENTAL",
            logger=self.logger,
            anomalies=self.anomalies,
        )

    def run_of_accounts(self) -> Run:
        """Return this run of a stream whose contexts are accounts."""
        return Run(
            companies=[
                Company(
                    company.main,
                    {account.sid: account for account in company.chosen},
                    company.separates,
                    company.listed,
                    None if self.is_test else company.together,
                    company.compared,
                    None if self.is_test else company.without_subaccounts,
                    company.fetch_subaccounts,
                )
                for company in self.fetch_accounts().companies
            ],
            state=self.session.state.usage(self.name),
            planner=self.planner(),
            write_state=self.write_state,
            save=self.save,
            max_requests=self.max_requests,
            version=self._tap.plugin_version,
            endpoints=self.session.endpoints,
            emits_focus=self.emits_focus,
        )

    def save(self, rows: int | None = None) -> None:
        """Write the state; given the rows of a period, only if there were enough since the last.

        The state has one or two kilobytes for each context. With one context it is written after
        every period; with hundreds less often, so that it is much smaller than the rows. What has
        to be known before any row is emitted is written by `write_state` instead.
        """
        self._rows_since_state += rows or 0
        others = len(self.session.state.of(self.name).partitions) - 1
        enough = rows is None or self._rows_since_state >= others * ROWS_PER_CONTEXT
        if enough and (others < MANY_ACCOUNTS or self.is_state_due):
            self._rows_since_state = 0
            self.write_state()
