"""The streams `usage_records_*`: Twilio's usage records, each dollar counted once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from datetime import date
from functools import partial
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
from tap_twilio_usage.used_categories import UsedCategories
from tap_twilio_usage.windows import DAY, Granularity, Window, today

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


class UsageRecordsStream(TwilioStream):
    """A row for every account, category and period of one granularity."""

    primary_keys = ("account_sid", "category", "start_date")
    schema = SCHEMA

    def __init__(self, tap: TapTwilioUsage, granularity: Granularity) -> None:
        """Begin with nothing said and nothing counted."""
        self.selected_by_default = granularity.name == "daily"
        super().__init__(tap, name=f"usage_records_{granularity.name}")
        if granularity.first:
            self.replication_key = state.REPLICATION_KEY
        self._granularity = granularity
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
        account = self._tap.account
        partition = self.get_context_state(context)
        if self._granularity.first:
            yield from self._periods(account, partition, self._granularity.first)
        else:
            used = self._used_categories(account, {})
            for day, rows in account.usage_now(self._granularity).items():
                for row in self._taken(day, attribute(rows), used):
                    yield _message(row, includes_subaccounts=account.includes_subaccounts)
        self._say_unknown_fields(account)

    def _periods(
        self,
        account: Account,
        partition: MutableMapping[str, Any],
        first: Callable[[date], date],
    ) -> Iterator[Record]:
        """Fetch windows in parallel, share out each period, emit it, and move the bookmark."""
        settings, granularity = self._tap.settings, self._granularity
        state.take_over(partition, self.stream_state["partitions"])
        used = self._used_categories(account, partition)
        window = self._window(account, partition)
        if window.days < 1:
            self.logger.info("%s: no day to load from %s to %s", account.sid, *window)
            return
        # Whole periods, so that the first one is not cut.
        window = Window(first(window.start), window.end)
        state.begin(partition, window.start)
        a_page = max(1, settings.page_size // max(1, len(account.all_time)))
        windows = list(window.split(a_page, granularity))
        progress = Progress(self.logger, account, window)
        progress.begin(len(windows))
        answers = in_order(
            partial(account.usage, granularity), windows, settings.max_concurrent_requests
        )
        for asked, answer in zip(windows, answers, strict=True):
            by_period = {first(day): rows for day, rows in answer.items()}
            for period in asked.split(1, granularity):
                rows = attribute(by_period.get(period.start, ()))
                taken = self._taken(period.start, rows, used)
                for row in taken:
                    yield _message(row, includes_subaccounts=account.includes_subaccounts)
                state.advance(partition, period.start)
                self._write_state()
                progress.add(period.end, rows, len(taken))
        progress.end()

    def _taken(self, day: date, rows: list[Record], used: UsedCategories) -> list[Record]:
        """Give the period's rows that are worth emitting."""
        self._say_what_is_odd(day, rows)
        taken = [row for row in rows if used.take(row)]
        # The state names a category before its first row goes out: should the run end here and
        # the row be restated to zero, the next one still overwrites it.
        if used.record():
            self._write_state()
        return taken

    def _used_categories(
        self, account: Account, partition: MutableMapping[str, Any]
    ) -> UsedCategories:
        return UsedCategories(
            account, partition, skip_unused=self._tap.settings.skip_unused_categories
        )

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
        """Do nothing: the bookmark moves by whole days, in `_periods`."""

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
            created = account.date_created
            if created and created > start:
                self.logger.info("%s was created on %s: begins there", account.sid, created)
                start = created
        return Window(start, settings.last_day(now))

    def _write_state(self) -> None:
        # In a batch the rows of the day may not be out yet; the SDK writes the state after it.
        if not self.get_batch_config(self.config):
            self._tap.state_writer.write_state(self.tap_state)

    def _say_what_is_odd(self, day: date, rows: list[Record]) -> None:
        totalprice = total(rows)
        if rows and (totalprice is None or totalprice["price"] is None):
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
