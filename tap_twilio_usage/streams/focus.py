"""The stream `focus_cost_and_usage`: `usage_records_daily` once more, with the columns of FOCUS."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from functools import cached_property

from msgspec.structs import asdict
from singer_sdk.mapper import RemoveRecordTransform, StreamMap
from singer_sdk.singerlib import SchemaMessage

from tap_twilio_usage._compat import override
from tap_twilio_usage.focus.columns import KEY, SCHEMA, STREAM
from tap_twilio_usage.focus.rows import Payer, cost_and_usage
from tap_twilio_usage.focus.sent_rows import SentRows
from tap_twilio_usage.money.enrich import total
from tap_twilio_usage.money.parsers import Record
from tap_twilio_usage.money.usage_record import UsageRecord
from tap_twilio_usage.singer import bulk_writer as at_once
from tap_twilio_usage.streams.usage_records import UsageRecordsStream
from tap_twilio_usage.sync import state
from tap_twilio_usage.twilio.periods import today


class FocusMap(StreamMap):
    """Projects records of `usage_records_daily`; a map of the user's for the projection follows."""

    payer: Payer  # of the account that the records are of
    currency: str | None  # of those that name none

    def __init__(self, following: StreamMap) -> None:
        """Take what follows."""
        super().__init__(following.stream_alias, SCHEMA, KEY, None)
        self.transformed_schema = following.transformed_schema
        self.transformed_key_properties = following.transformed_key_properties
        self._following = following

    @override
    def transform(self, record: Record) -> Record | None:
        return self._following.transform(cost_and_usage(record, self.payer, self.currency))

    @override
    def get_filter_result(self, record: Record) -> bool:
        return True  # only of use to child streams


class UsageRecordsAndFocusStream(UsageRecordsStream):
    """`usage_records_daily`, and of the same records the rows of FOCUS.

    These are made of whole records: what a catalog deselects, or a user's map takes away, is for
    `usage_records_daily` alone.
    """

    @cached_property
    def _focus_maps(self) -> list[FocusMap]:
        """The projection, once for each stream that the user's maps make of it."""
        return [
            FocusMap(following)
            for following in self._tap.mapper.stream_maps[STREAM]
            if not isinstance(following, RemoveRecordTransform)
        ]

    @override
    def _generate_schema_messages(self) -> Generator[SchemaMessage, None, None]:
        yield from super()._generate_schema_messages()
        for each in self._focus_maps:
            yield SchemaMessage(
                each.stream_alias, each.transformed_schema, each.transformed_key_properties
            )

    @override
    def taken(self, partition: state.Partition) -> Iterator[list[UsageRecord]]:
        if not self._focus_maps or self.ABORT_AT_RECORD_COUNT is not None:
            yield from super().taken(partition)
            return
        cut_off, lookback_days = self._cut_off, self._tap.settings.lookback_days
        billed, count = None, 0
        for rows in super().taken(partition):
            if billed is None:  # only now the partition is as it has to be before it is read
                billed = SentRows(partition, cut_off, lookback_days)
                self._say_what_is_lacking(billed)
                payer, unit = self._payer(partition)
            if rows:
                chosen, of_day = billed.choose(rows), total(rows)
                self._write(chosen, payer, (of_day and of_day.price_unit) or unit)
                count += len(chosen)
            yield rows
        (billed or SentRows(partition, cut_off, lookback_days)).end()
        self.logger.info("%s: %d rows of %s", partition["context"]["account_sid"], count, STREAM)

    def _say_what_is_lacking(self, billed: SentRows) -> None:
        if billed.lacks_days:
            self.anomalies.warn_once(
                "focus",
                "%s lacks days that were loaded without it: empty it, if there is one, and run "
                "once with --full-refresh",
                STREAM,
            )

    @cached_property
    def _cut_off(self) -> str:
        """The day up to which a run that did not come to its end may have sent rows; "" for none.

        From now on, this run is one, until it sums up. Written before any row, the state is safe.
        """
        cut_off: str = self.stream_state.get(state.BILLED_UP_TO, "")
        last_day = self._tap.settings.last_day(today())
        self.stream_state[state.BILLED_UP_TO] = max(cut_off, f"{last_day}")
        self._tap.state_writer.write_state(self.tap_state)
        return cut_off

    @override
    def summarize(self) -> None:
        super().summarize()
        if not self._tap.failures:
            self.stream_state.pop(state.BILLED_UP_TO, None)
            self._tap.state_writer.write_state(self.tap_state)

    def _write(self, rows: list[UsageRecord], payer: Payer, unit: str | None) -> None:
        records = [asdict(row) for row in rows]
        for each in self._focus_maps:
            each.payer, each.currency = payer, unit
            mapped = filter(None, map(each.transform, records))
            self._tap.message_writer.write_lines(at_once.messages(each.stream_alias, mapped))

    def _payer(self, partition: state.Partition) -> tuple[Payer, str | None]:
        """Give who pays for the account that the partition is of, and its currency."""
        accounts, sid = self._tap.accounts, partition["context"]["account_sid"]
        main, account = accounts.main, accounts.get(sid)
        if account and account.friendly_name:
            partition[state.ACCOUNT_NAME] = account.friendly_name
        known = state.account_names(self.state_partitions)
        name = main.friendly_name or known.get(main.sid) or self._tap.settings.billing_account_name
        units = (each.price_unit for each in account.fetch_all_time()) if account else ()
        payer = Payer(main.sid, name or main.sid, sid, known.get(sid, sid))
        return payer, next(filter(None, units), None)
