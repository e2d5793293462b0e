"""What the streams share."""

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
from tap_twilio_usage.sync.state import REPLICATION_KEY
from tap_twilio_usage.twilio.errors import ApiError
from tap_twilio_usage.twilio.periods import Granularity

if TYPE_CHECKING:
    from singer_sdk.helpers.types import Context

ROWS_FOR_EACH_CONTEXT = 50


class TwilioStream(SdkStream):
    """A stream that yields `rows`."""

    def __init__(self, tap: SdkTap, session: Session, name: str | None = None) -> None:
        """Ask for nothing yet."""
        super().__init__(tap, name=name)
        self.session = session

    @property
    def need(self) -> Need:
        """What its credentials have to be allowed to read."""
        separates = self.session.settings.separates_accounts
        return Need.SUBACCOUNTS if separates else Need.MAIN_ACCOUNT

    @property
    def is_test(self) -> bool:
        """Whether one record is enough: --test asks whether the stream can be read."""
        return self.ABORT_AT_RECORD_COUNT is not None

    @property
    def max_requests(self) -> int:
        """How many requests to make in parallel, or have waiting for their turn."""
        return 1 if self.is_test else self.session.settings.max_concurrent_requests

    @cached_property
    def anomalies(self) -> Anomalies:
        """What is unusual about the rows; each kind is said once."""
        return Anomalies(self.logger)

    @abstractmethod
    def rows(self, context: Context | None) -> Iterator[dict[str, Any]]:
        """Yield the records of one context."""

    @override
    def get_records(self, context: Context | None) -> Iterable[dict[str, Any]]:
        # The SDK ends --test by an exception, and logs it as an error; this ends it quietly.
        return islice(self._isolated(context), self.ABORT_AT_RECORD_COUNT)

    def _isolated(self, context: Context | None) -> Iterator[dict[str, Any]]:
        """Yield the records; a failure may leave the other contexts alone."""
        try:
            yield from self.rows(context)
        except ApiError as error:
            self.fail(context, error)
        else:
            self.session.failures.mark_success()

    def fail(self, context: Context | None, error: ApiError) -> None:
        """Raise the error in --test, which asks about it; else see what it means for the others."""
        if self.is_test:
            raise error
        named = copy(error)  # several streams may get the same one
        named.args = (f"{self.name}: {f'{error}'.removeprefix(f'{self.name}: ')}",)
        self.failed(context, named)

    def failed(self, context: Context | None, error: ApiError) -> None:
        """Raise the error; or note it, if other contexts do not depend on this one."""
        if context is None or not self.session.settings.separates_accounts:
            raise error
        self.session.failures.add("accounts", context["account_sid"], error)

    def summarize(self) -> None:
        """Say, after the run, what was loaded of all contexts."""


class PeriodStream(TwilioStream):
    """A stream of periods, with a bookmark for each context that moves by whole periods."""

    def __init__(self, tap: SdkTap, session: Session, name: str, granularity: Granularity) -> None:
        """Begin with nothing read."""
        super().__init__(tap, session, name)
        if not granularity.is_named_period:
            self.replication_key = REPLICATION_KEY
        self.granularity = granularity
        self._rows_since_state = 0

    def planner(self) -> Planner:
        """Return what decides which days this run reads."""
        return Planner(
            settings=self.session.settings,
            granularity=self.granularity,
            today=self.session.today(),
            is_incremental=self.replication_method == "INCREMENTAL",
            logger=self.logger,
            anomalies=self.anomalies,
        )

    def save(self, rows: int | None = None) -> None:
        """Write the state; after a period of so many rows, only if enough have come since.

        The state has a kilobyte or two for each context. With one context it is written each
        time, with hundreds as often as keeps its bytes well below those of the rows.
        """
        self._rows_since_state += rows or 0
        others = len(self.session.state.of(self.name).partitions) - 1
        if rows is None or self._rows_since_state >= others * ROWS_FOR_EACH_CONTEXT:
            self._rows_since_state = 0
            self.write_state()
