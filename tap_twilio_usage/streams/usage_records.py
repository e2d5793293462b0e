"""The streams `usage_records_*`: Twilio's usage records, each dollar counted once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any

from msgspec.structs import asdict
from singer_sdk import metrics
from singer_sdk import typing as th

from tap_twilio_usage._compat import override
from tap_twilio_usage.logs.progress import Progress
from tap_twilio_usage.money.enrich import attribute
from tap_twilio_usage.money.parsers import Record
from tap_twilio_usage.money.usage_record import Periods, UsageRecord, zero
from tap_twilio_usage.singer import bulk_writer as at_once
from tap_twilio_usage.singer.stream_maps import FLAG
from tap_twilio_usage.streams.base import PeriodStream
from tap_twilio_usage.sync import state
from tap_twilio_usage.sync.category_filter import UsedCategories
from tap_twilio_usage.sync.prefetch import Answer, Reading
from tap_twilio_usage.sync.restatements import Restatements
from tap_twilio_usage.twilio.errors import ApiError, RetriesExhausted
from tap_twilio_usage.twilio.periods import ALL_TIME, Granularity, Window, today
from tap_twilio_usage.twilio.threads import InOrder, spawn
from tap_twilio_usage.twilio.usage_records import Account

if TYPE_CHECKING:
    from singer_sdk.helpers.types import Context

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


class UsageRecordsStream(PeriodStream):
    """A row for every account, category and period of one granularity."""

    primary_keys = ("account_sid", "category", "start_date")
    schema = SCHEMA

    def __init__(self, tap: TapTwilioUsage, granularity: Granularity) -> None:
        """Name it after the granularity."""
        self.selected_by_default = granularity.name == "daily"
        super().__init__(tap, f"usage_records_{granularity.name}", granularity)
        self._progress = Progress(self.logger)

    @property
    @override
    def partitions(self) -> list[dict[str, Any]]:
        """The accounts to read, and first the subaccounts whose rows are not to stand any more.

        The main account comes before its subaccounts: while its rows in the target may still have
        them inside, theirs may not be there.
        """
        main, chosen = self._tap.accounts.main, self._tap.accounts.chosen
        if main in chosen or not state.holds_subaccounts(self.state_partitions, main.sid):
            read = chosen
        else:
            self.logger.info("%s has subaccounts inside: read again without them", main.sid)
            read = [main, *chosen]
        withdrawn = (
            []
            if self._tap.settings.separates_accounts
            else state.to_withdraw(self.state_partitions, main.sid)
        )
        to_read = [
            {"account_sid": account.sid, "includes_subaccounts": account.includes_subaccounts}
            for account in read
        ]
        self._readings = InOrder(self._read, self._to_read(to_read), self.at_once)
        self._progress.accounts = len(to_read)
        return [*(dict(partition["context"]) for partition in withdrawn), *to_read]

    def _to_read(
        self, contexts: list[dict[str, Any]]
    ) -> Iterator[tuple[state.Partition, date | None]]:
        """Give the state of each account as it has to be before it is read."""
        settings, main = self._tap.settings, self._tap.accounts.main
        last_period = self.granularity.first(settings.last_day(today()))
        for context in contexts:
            partition = self.get_context_state(context)
            state.take_over(partition, self.state_partitions, last_period)
            if context["account_sid"] != main.sid:
                partition[state.MAIN_ACCOUNT] = main.sid
                if state.bookmark(partition) is None and not self.granularity.is_named_period:
                    state.catch_up(partition, last_period)
            yield partition, state.since(self.state_partitions, main.sid)

    @override
    def summarize(self) -> None:
        self._progress.summarize()

    @override
    def failed(self, context: Context | None, error: ApiError) -> None:
        partition, main = self.get_context_state(context), self._tap.accounts.main
        if partition["context"]["account_sid"] == main.sid and state.CATCH_UP_TO in partition:
            raise error  # its rows may still have the subaccounts inside
        super().failed(context, error)

    @override
    def rows(self, context: Context | None) -> Iterator[Record]:
        if not context:  # the SDK comes without one where there is no account at all
            return
        write = at_once.writer(self)
        for rows in self.taken(self.get_context_state(context)):
            if write:
                write(rows)
            else:
                yield from map(_for_the_sdk, rows)

    def taken(self, partition: state.Partition) -> Iterator[list[UsageRecord]]:
        """Give the rows to emit of an account, a period at a time."""
        context = partition["context"]
        is_read = context["account_sid"] in self._tap.accounts
        for rows in self._of(partition) if is_read else self._withdrawn(partition):
            for row in rows:
                row.account_sid = context["account_sid"]
                row.includes_subaccounts = context["includes_subaccounts"]
            yield rows

    @override
    def get_record_counter(self, **kwargs: Any) -> metrics.Counter:
        self._counter = super().get_record_counter(**kwargs)
        return self._counter

    def write_lines(self, lines: bytes, records: int) -> None:
        """Write messages of so many records, and count them as the SDK does its own."""
        self._tap.message_writer.write_lines(lines)
        self._counter.increment(records)
        self.state_manager.is_flushed = False

    def _read(self, to_read: tuple[state.Partition, date | None]) -> Reading:
        """Ask an account for what tells which of its days to ask for, and choose them."""
        (partition, since), settings = to_read, self._tap.settings
        account = self._tap.accounts[partition["context"]["account_sid"]]
        begins = not self.granularity.is_named_period and self.resume_bookmark(partition) is None
        # At the same time as its history.
        created = spawn(lambda: account.fetch_date_created() if begins else None)
        reading = Reading(account, self.granularity, settings.page_size, self.at_once)
        is_unused = settings.separates_accounts and self._used(account, partition).is_empty
        if not self.granularity.is_named_period:
            reading.whole = self.window(partition, account.sid, since=since, created=created.result)
            if not is_unused and reading.whole.days > 0:
                older_days = self._older_days(account, partition, reading.whole)
                reading.plan(state.bookmark(partition), older_days)
        elif not is_unused:
            is_main = account is self._tap.accounts.main
            reading.now = self._main_now if is_main else account.usage_now(self.granularity)
        return reading

    def _of(self, partition: state.Partition) -> Iterator[list[UsageRecord]]:
        """Give the account's rows, a period at a time."""
        # What failed ahead of its turn may have done so for the same reason as the one before.
        self._readings.begin_again(RetriesExhausted)
        reading = next(self._readings)
        reading.answers.begin_again(RetriesExhausted)
        self._progress.next_account()
        account = reading.account
        if account.sid != partition["context"]["account_sid"]:
            raise RuntimeError(f"{account.sid} was read in the place of another account")
        used = self._used(account, partition)
        if self._tap.settings.separates_accounts and used.is_empty:
            self.logger.info("%s has never used anything", account.sid)
            if reading.whole.days > 0:  # passed over: they cannot hold anything
                self._begin(partition, reading.whole.start)
                state.advance(partition, self.granularity.first(reading.whole.end))
        elif self.granularity.is_named_period:
            yield from self._named_period(reading, partition, used)
        elif reading.whole.days > 0:
            yield from self._periods(reading, partition, used)
        self.report_findings(*account.findings.drain())

    def _named_period(
        self, reading: Reading, partition: state.Partition, used: UsedCategories
    ) -> Iterator[list[UsageRecord]]:
        """Give the one period that the resource stands for."""
        for day, rows in reading.now.items():
            self._begin(partition, day)
            yield self._taken(day, attribute(used.leave_out(rows), rows), used)
        state.has_caught_up(partition)

    def _periods(
        self, reading: Reading, partition: state.Partition, used: UsedCategories
    ) -> Iterator[list[UsageRecord]]:
        """Share out each period, emit it, and move the bookmark."""
        self._begin(partition, reading.whole.start)
        older_days = reading.older_days
        if older_days and reading.may_be_restated:
            older_days.forget()
        progress = self._progress
        progress.begin(reading.account, reading.days, reading.requests)
        for period, found in self.periods(self._answers(reading)):
            rows = attribute(used.leave_out(found), found)
            taken = self._taken(period.start, rows, used)
            yield taken
            state.advance(partition, period.start)
            self.write_state(len(taken))
            progress.add(period.end, rows, len(taken))
        progress.end()
        if older_days:
            were_read = reading.days.start == reading.whole.start
            older_days.note(period.start, rows, were_read=were_read)

    def _answers(self, reading: Reading) -> Iterator[Answer]:
        self._read_ahead(reading)
        for answer in reading.answers:
            self._read_ahead(reading)
            yield answer

    def _read_ahead(self, reading: Reading) -> None:
        """Ask for what is next: of this account, and once that is under way, of those after it."""
        room = self.at_once if self.at_once > 1 else 0
        for each in (reading, *self._readings.done()):
            each.answers.begin(room)
            room -= len(each.answers)

    def _used(self, account: Account, partition: state.Partition) -> UsedCategories:
        skip_unused = self._tap.settings.skip_unused_categories
        return UsedCategories(account, partition, skip_unused=skip_unused)

    def _older_days(
        self, account: Account, partition: state.Partition, whole: Window
    ) -> Restatements | None:
        """Give what is known of the days up to the bookmark, where that can save requests.

        One account by itself is always read with its whole lookback; of hundreds, most have
        nothing new.
        """
        settings = self._tap.settings
        if not settings.separates_accounts or self.replication_method != "INCREMENTAL":
            return None
        return Restatements(
            partition,
            account.fetch_all_time(),
            whole,
            settings.lookback_days,
            (settings.skip_unused_categories, settings.focus, self._tap.plugin_version),
        )

    def _begin(self, partition: state.Partition, day: date) -> None:
        if state.begin(partition, day):
            self.write_state()

    def _taken(self, day: date, rows: list[UsageRecord], used: UsedCategories) -> list[UsageRecord]:
        """Give the period's rows that are worth emitting."""
        self.anomalies.check_period(day, rows)
        taken = used.take(rows)
        # The state names a category before its first row goes out: should the run end here and
        # the row be restated to zero, the next one still overwrites it.
        if used.record():
            self.write_state()
        return taken

    def _withdrawn(self, partition: state.Partition) -> Iterator[list[UsageRecord]]:
        """Give zeros for every row that a subaccount may have in the target.

        For its money is inside the main account's rows from now on, or not asked for at all. Of a
        resource that says when, only in the period that the main account's rows are of.
        """
        sid, main = partition["context"]["account_sid"], self._tap.accounts.main
        first_day = state.first_day(partition) or date.max
        last_day = self._tap.settings.last_day(today())
        if self.granularity.is_named_period and self.granularity is not ALL_TIME:
            first_day = max(self._main_now, default=first_day)
        days = Window(first_day, max(first_day, last_day))
        periods = list(days.split(1, self.granularity))
        if self.granularity.is_named_period:
            periods = periods[:1]
        state.begin_to_withdraw(partition)
        self.write_state()
        self.logger.info("%s: its rows of %s become zero", sid, days)
        unit = next((each.price_unit for each in main.fetch_all_time()), None)
        for period in periods:
            yield attribute(
                zero(sid, category, period.start, period.end, unit)
                for category in partition.get(state.USED_CATEGORIES, ())
            )
        state.withdraw(partition, last_day)

    @cached_property
    def _main_now(self) -> Periods:
        """The main account's records of the period that the resource stands for."""
        return self._tap.accounts.main.usage_now(self.granularity)


def _for_the_sdk(row: UsageRecord) -> Record:
    record = asdict(row)
    del record[FLAG]
    return {
        **record,
        "start_date": row.start_date.isoformat(),
        "end_date": row.end_date.isoformat(),
    }
