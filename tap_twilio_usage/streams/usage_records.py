"""The streams `usage_records_*`: Twilio's usage records, each dollar counted once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from datetime import date
from typing import TYPE_CHECKING, Any

from singer_sdk import typing as th
from singer_sdk.batch import Batcher

from tap_twilio_usage import state
from tap_twilio_usage.attribution import attribute, overshoot, total, unit
from tap_twilio_usage.compat import override
from tap_twilio_usage.hierarchy import normalise, shipped
from tap_twilio_usage.parallel import in_order
from tap_twilio_usage.progress import Progress
from tap_twilio_usage.records import Record, is_zero
from tap_twilio_usage.streams.base import TwilioStream
from tap_twilio_usage.windows import DAY, Window, today

if TYPE_CHECKING:
    from singer_sdk.helpers.types import Context

    from tap_twilio_usage.account import Account
    from tap_twilio_usage.tap import TapTwilioUsage

SCHEMA = th.PropertiesList(
    th.Property("account_sid", th.StringType, required=True, description="Account SID"),
    th.Property("api_version", th.StringType, description="Version of Twilio's API"),
    th.Property("as_of", th.DateTimeType, description="How fresh the record is"),
    th.Property("category", th.StringType, required=True, description="As Twilio writes it"),
    th.Property("description", th.StringType, description="Twilio's name for the category"),
    th.Property("count", th.NumberType, description="Number of usage events, in count_unit"),
    th.Property("count_unit", th.StringType, description="Unit of count, such as calls"),
    th.Property("usage", th.NumberType, description="Amount of usage, in usage_unit"),
    th.Property("usage_unit", th.StringType, description="Unit of usage, such as minutes"),
    th.Property("price", th.NumberType, description="Price as Twilio reports it, in price_unit"),
    th.Property("price_unit", th.StringType, description="Currency, such as usd"),
    th.Property("start_date", th.DateType, required=True, description="First day, GMT"),
    th.Property("end_date", th.DateType, description="Last day, GMT, inclusive"),
    th.Property(
        "includes_subaccounts",
        th.BooleanType,
        description="Whether subaccounts are inside the amounts",
    ),
    th.Property(
        "service",
        th.StringType,
        description="Product family; Unattributed for totalprice, Other where unknown",
    ),
    th.Property(
        "billing_kind",
        th.StringType,
        description=(
            "usage, recurring, one_time, storage, service_fee, pass_through_fee, penalty_fee, "
            "adjustment, credit, internal or total; usage where unknown"
        ),
    ),
    th.Property(
        "parent_category",
        th.StringType,
        description="The category that contains this one; inferred for an unknown one",
    ),
    th.Property(
        "dedup_role",
        th.StringType,
        description="total, rollup, leaf or overlap, as it stands in the period",
    ),
    th.Property(
        "deduplicated_price",
        th.NumberType,
        description=(
            "The part of price that no more detailed row of the account and period carries; "
            "sums to the price of totalprice; null where the period has no totalprice"
        ),
    ),
).to_dict()


class UsageRecordsDailyStream(TwilioStream):
    """A row for every account, category and day."""

    name = "usage_records_daily"
    primary_keys = ("account_sid", "category", "start_date")
    replication_key = state.REPLICATION_KEY
    schema = SCHEMA

    def __init__(self, tap: TapTwilioUsage) -> None:
        """Begin with nothing said and nothing counted."""
        super().__init__(tap)
        self._said: set[str] = set()

    @property
    @override
    def partitions(self) -> list[dict[str, Any]]:
        account = self._tap.account
        return [
            {
                "account_sid": account.sid,
                "includes_subaccounts": account.includes_subaccounts,
            }
        ]

    @override
    def rows(self, context: Context | None) -> Iterator[Record]:
        """Fetch windows in parallel, share out each day, emit it, and move the bookmark."""
        account, settings = self._tap.account, self._tap.settings
        partition = self.get_context_state(context)
        state.take_over(partition, self.stream_state["partitions"])
        window = self._window(account, partition)
        if window.days < 1:
            self.logger.info("%s: no day to load from %s to %s", account.sid, *window)
            return
        state.begin(partition, window.start)
        days_a_page = max(1, settings.page_size // max(1, len(account.all_time())))
        windows = list(window.split(days_a_page))
        progress = Progress(self.logger, account, window)
        progress.begin(len(windows))
        used = _UsedCategories(account, partition, skip_unused=settings.skip_unused_categories)
        answers = in_order(account.daily, windows, settings.max_concurrent_requests)
        for asked, rows_by_day in zip(windows, answers, strict=True):
            for day in (single.start for single in asked.split(1)):
                rows = attribute(rows_by_day.get(day, ()))
                self._say_what_is_odd(day, rows)
                emitted = [row for row in rows if used.take(row)]
                # The state names a category before its first row goes out: should the run end
                # here and the row be restated to zero, the next one still overwrites it.
                if used.record():
                    self._write_state()
                for row in emitted:
                    yield _message(row, includes_subaccounts=account.includes_subaccounts)
                state.advance(partition, day)
                self._write_state()
                progress.add(day, rows, len(emitted))
        self._say_unknown_fields(account)
        progress.end()

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
        """Do nothing: the bookmark moves by whole days, in `rows`."""

    @override
    def _write_starting_replication_value(self, context: Any) -> None:
        """Do nothing: the first day is worked out in `_window`."""

    def _window(self, account: Account, partition: Mapping[str, Any]) -> Window:
        """Give the days to read: from the bookmark less the lookback, or from the beginning."""
        settings, now = self._tap.settings, today()
        bookmark = state.bookmark(partition)
        if self.replication_method == "INCREMENTAL" and bookmark:
            start = bookmark - min(settings.lookback_days, (bookmark - date.min).days) * DAY
            # Only a start_date that was asked for: the default one moves on by itself, and
            # would leave a hole after a pause of months.
            if settings.start_date:
                start = max(start, settings.start_date)
            if start > bookmark + DAY:
                self._say_once(
                    "hole", "start_date leaves out the days after the bookmark, %s", bookmark
                )
        else:
            start = settings.first_day(now)
            start = min(start, state.first_day(partition) or start)
            created = account.date_created()
            if created and created > start:
                self.logger.info("%s was created on %s: begins there", account.sid, created)
                start = created
        return Window(start, settings.last_day(now))

    def _write_state(self) -> None:
        # In a batch the rows of the day may not be out yet; the SDK writes the state after it.
        if not self.get_batch_config(self.config):
            self._tap.state_writer.write_state(self.tap_state)

    def _say_what_is_odd(self, day: date, rows: list[Record]) -> None:
        if rows and total(rows) is None:
            self._say_once(
                "no total",
                "%s has no price of totalprice: deduplicated_price is null there",
                day,
            )
        if excess := overshoot(rows):
            self._say_once(
                "excess",
                "the rows of %s hold %s more than totalprice, which no known rule explains: "
                "it stands as a negative remainder on the totalprice row",
                day,
                excess,
            )
        for row in rows:
            if is_zero(row):
                continue
            category = row["category"]
            if normalise(category) not in shipped().categories:
                self._say_once(
                    f"category {category}",
                    "unknown category %r, counted under %r",
                    category,
                    row["parent_category"],
                )
            if row["price"] is None:
                self._say_once(f"null {category}", "%r has usage but no price on %s", category, day)
        if len(units := {unit(row) for row in rows} - {None}) > 1:
            self._say_once(
                "units", "%s has more than one currency: %s", day, sorted(map(str, units))
            )

    def _say_unknown_fields(self, account: Account) -> None:
        for field in sorted(account.unknown_fields):
            self._say_once(f"field {field}", "Twilio sends a new field, not loaded: %r", field)
        if account.repeated_rows:
            self.logger.info("%d rows came twice and were emitted once", account.repeated_rows)

    def _say_once(self, what: str, message: str, *args: object) -> None:
        if what not in self._said:
            self._said.add(what)
            self.logger.warning(message, *args)


def _message(row: Record, *, includes_subaccounts: bool) -> Record:
    return {
        **row,
        "start_date": row["start_date"].isoformat(),
        "end_date": row["end_date"].isoformat(),
        "includes_subaccounts": includes_subaccounts,
    }


class _UsedCategories:
    """Which rows to emit: all that are not zero, and every row of a used category."""

    def __init__(
        self, account: Account, partition: MutableMapping[str, Any], *, skip_unused: bool
    ) -> None:
        self._partition = partition
        self._skip_unused = skip_unused
        self._emitted = set(partition.get(state.USED_CATEGORIES, ()))
        self._used = {row["category"] for row in account.all_time() if not is_zero(row)}

    def take(self, row: Record) -> bool:
        """Tell whether to emit the row; from then on its category counts as used."""
        category = row["category"]
        taken = (
            not self._skip_unused
            or category in self._used
            or category in self._emitted
            or not is_zero(row)
            or bool(row["deduplicated_price"])
        )
        if taken:
            self._emitted.add(category)
        return taken

    def record(self) -> bool:
        """Put what was emitted into the account's state; tell whether there was anything new."""
        emitted = sorted(self._emitted)
        if emitted == self._partition.get(state.USED_CATEGORIES, []):
            return False
        self._partition[state.USED_CATEGORIES] = emitted
        return True
