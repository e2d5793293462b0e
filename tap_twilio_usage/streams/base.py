"""What the streams share."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import copy
from datetime import date
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from singer_sdk import Stream
from singer_sdk.batch import Batcher

from tap_twilio_usage._compat import override
from tap_twilio_usage.logs.anomalies import Anomalies
from tap_twilio_usage.sync import state
from tap_twilio_usage.twilio.auth import Need
from tap_twilio_usage.twilio.errors import ApiError
from tap_twilio_usage.twilio.periods import DAY, EARLIEST, Granularity, Window, today

if TYPE_CHECKING:
    from singer_sdk.helpers.types import Context

    from tap_twilio_usage.tap import TapTwilioUsage

ROWS_FOR_EACH_CONTEXT = 50
R = TypeVar("R")


class TwilioStream(Stream):
    """A stream that gives `rows`."""

    _tap: TapTwilioUsage

    @property
    def need(self) -> Need:
        """What its credentials have to be allowed to read."""
        return Need.SUBACCOUNTS if self._tap.settings.separates_accounts else Need.MAIN_ACCOUNT

    @cached_property
    def anomalies(self) -> Anomalies:
        """What is odd about the rows, and has been said."""
        return Anomalies(self.logger)

    @override
    def log(self, message: str, *args: Any, level: int = logging.INFO, **kwargs: Any) -> None:
        # The SDK's only error, "unhandled", would stand before the line that says what is wrong.
        if level < logging.ERROR:
            super().log(message, *args, level=level, **kwargs)

    @abstractmethod
    def rows(self, context: Context | None) -> Iterator[dict[str, Any]]:
        """Give the records of one context."""

    @override
    def get_records(self, context: Context | None) -> Iterable[dict[str, Any]]:
        # The SDK ends --test by an exception, and logs it as an error; this ends it quietly.
        return islice(self._others_go_on(context), self.ABORT_AT_RECORD_COUNT)

    def _others_go_on(self, context: Context | None) -> Iterator[dict[str, Any]]:
        try:
            yield from self.rows(context)
        except ApiError as error:
            self.fail(context, error)
        else:
            self._tap.failures.mark_success()

    def report_findings(self, unknown_fields: Iterable[str], repeated_rows: int) -> None:
        """Say what was odd about all that came from one account, billing group or list."""
        self.anomalies.warn_of_new_fields(unknown_fields)
        if repeated_rows:
            self.logger.info("%d rows came twice and were emitted once", repeated_rows)

    def summarize(self) -> None:
        """Say, after the run, what was loaded of all contexts."""

    def fail(self, context: Context | None, error: ApiError) -> None:
        """Raise the error in --test, which asks about it; else see what it means for the others."""
        if self.ABORT_AT_RECORD_COUNT is not None:
            raise error
        named = copy(error)  # it may be the same one for several streams
        named.args = (f"{self.name}: {f'{error}'.removeprefix(f'{self.name}: ')}",)
        self.failed(context, named)

    def failed(self, context: Context | None, error: ApiError) -> None:
        """Raise the error; or note it, where other contexts do not depend on this one."""
        if context is None or not self._tap.settings.separates_accounts:
            raise error
        self._tap.failures.add("accounts", context["account_sid"], error)


class PeriodStream(TwilioStream):
    """A stream of periods, with a bookmark for each context that moves by whole periods."""

    def __init__(self, tap: TapTwilioUsage, name: str, granularity: Granularity) -> None:
        """Begin with nothing said and nothing counted."""
        super().__init__(tap, name=name)
        if not granularity.is_named_period:
            self.replication_key = state.REPLICATION_KEY
        self.granularity = granularity
        self._rows_since_state = 0

    @property
    def state_partitions(self) -> list[state.Partition]:
        """The state of every context that this stream was ever read for."""
        found: list[state.Partition] = self.stream_state.setdefault("partitions", [])
        return found

    def resume_bookmark(self, partition: state.Partition) -> date | None:
        """Give the bookmark, unless all is to be read again."""
        return state.bookmark(partition) if self.replication_method == "INCREMENTAL" else None

    def window(
        self,
        partition: state.Partition,
        what: str,
        *,
        since: date | None = None,
        created: Callable[[], date | None] = lambda: None,
    ) -> Window:
        """Give the days to read: from the bookmark less the lookback, or from the beginning.

        That is `start_date`, or `since` if that is earlier, but not before it was `created`. The
        first period is whole; the window has no days if there are none to read.
        """
        settings, now = self._tap.settings, today()
        bookmark = self.resume_bookmark(partition)
        if bookmark:
            if bookmark > now:
                self.logger.warning(
                    "%s: its bookmark, %s, lies in the future: nothing is read until then; if it "
                    "is wrong, run once with --full-refresh, or without a state",
                    what,
                    bookmark,
                )
                return Window(bookmark, now)
            start = bookmark - min(settings.lookback_days, (bookmark - EARLIEST).days) * DAY
            # Only a start_date that was asked for: the default one moves on by itself, and
            # would leave a hole after a pause of months. While rows are being replaced, the
            # first day that has some.
            catching_up = state.CATCH_UP_TO in partition
            earliest = state.first_day(partition) if catching_up else settings.start_date
            start = max(start, earliest or start)
            if start > bookmark + DAY:
                self.anomalies.warn_once(
                    "hole", "start_date leaves out the days after the bookmark, %s", bookmark
                )
        else:
            start = min(settings.first_day(now), since or date.max)
            if (began := created()) and began > start:
                self.logger.info("%s was created on %s: begins there", what, began)
                start = began
        window = Window(start, settings.last_day(now))
        if window.days < 1:
            self.logger.info("%s: no day to load from %s to %s", what, *window)
            return window
        return Window(self.granularity.first(window.start), window.end)

    @property
    def at_once(self) -> int:
        """How many requests to make in parallel, or wait for their turn."""
        one = self.ABORT_AT_RECORD_COUNT is not None  # --test asks for no more than it needs
        return 1 if one else self._tap.settings.max_concurrent_requests

    def periods(
        self, answers: Iterable[tuple[Window, Mapping[date, list[R]]]]
    ) -> Iterator[tuple[Window, list[R]]]:
        """Give every period in order, with the rows it has."""
        first = self.granularity.first
        for asked, answer in answers:
            by_period = {first(day): rows for day, rows in answer.items()}
            for period in asked.split(1, self.granularity):
                yield period, by_period.get(period.start, [])

    def write_state(self, rows: int | None = None) -> None:
        """Write the state; after a period of so many rows, only if enough have come since.

        The state has a kilobyte or two for each context. With one context it is written each
        time, with hundreds as often as keeps its bytes well below those of the rows.
        """
        self._rows_since_state += rows or 0
        # In a batch the rows of the day may not be out yet; the SDK writes the state after it.
        if self.get_batch_config(self.config):
            return
        others = len(self.state_partitions) - 1
        if rows is None or self._rows_since_state >= others * ROWS_FOR_EACH_CONTEXT:
            self._rows_since_state = 0
            self._tap.state_writer.write_state(self.tap_state)

    @override
    def get_batches(self, batch_config: Any, context: Context | None = None) -> Iterable[Any]:
        """Give batches of the records as they would be emitted: selected, mapped, flagged."""
        batcher = Batcher(tap_name=self.tap_name, stream_name=self.name, batch_config=batch_config)
        rows = (
            message.record
            for record in self._sync_records(context, write_messages=False)
            for message in self._generate_record_messages(record)
        )
        for manifest in batcher.get_batches(records=rows):
            yield batch_config.encoding, manifest

    @override
    def _increment_stream_state(self, latest_record: Any, *, context: Any = None) -> None:
        """Do nothing: the bookmark moves by whole periods, as the stream says."""

    @override
    def _write_starting_replication_value(self, context: Any) -> None:
        """Do nothing: the first day is worked out in `window`."""
