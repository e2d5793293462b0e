"""The stream `focus_cost_and_usage`: `usage_records_daily` once more, with the columns of FOCUS."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from decimal import Decimal, localcontext
from functools import cached_property

from msgspec.structs import asdict
from singer_sdk.mapper import RemoveRecordTransform, StreamMap
from singer_sdk.singerlib import SchemaMessage

from tap_twilio_usage import at_once, state
from tap_twilio_usage.billed import Billed
from tap_twilio_usage.compat import override
from tap_twilio_usage.dedup import EXACT
from tap_twilio_usage.focus import Payer, cost_and_usage
from tap_twilio_usage.focus_columns import KEY, SCHEMA, STREAM
from tap_twilio_usage.records import Record, UsageRecord
from tap_twilio_usage.streams.usage_records import UsageRecordsStream


class FocusMap(StreamMap):
    """Projects records of `usage_records_daily`; a map of the user's for the projection follows."""

    payer: Payer  # of the account that the records are of

    def __init__(self, following: StreamMap) -> None:
        """Take what follows."""
        super().__init__(following.stream_alias, SCHEMA, KEY, None)
        self.transformed_schema = following.transformed_schema
        self.transformed_key_properties = following.transformed_key_properties
        self._following = following

    @override
    def transform(self, record: Record) -> Record | None:
        return self._following.transform(cost_and_usage(record, self.payer))

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
        if state.bookmark(partition) and state.BILLED not in partition:
            self.oddities.say_once(
                "focus",
                "%s begins with the days that are read again: for those before, run once with "
                "--full-refresh",
                STREAM,
            )
        billed, count, cost = None, 0, Decimal(0)
        for rows in super().taken(partition):
            if rows and self.ABORT_AT_RECORD_COUNT is None:
                if billed is None:
                    billed = Billed(partition, self._tap.settings.lookback_days)
                    self._address(partition)
                chosen = billed.choose(rows)
                if billed.begin(chosen):
                    self.write_state()
                self._write(chosen)
                billed.end(rows)
                count += len(chosen)
                with localcontext(EXACT):
                    cost += sum(row.deduplicated_price or 0 for row in chosen)
            yield rows
        if count:
            sid = partition["context"]["account_sid"]
            self.logger.info("%s: %d rows of %s, BilledCost %s", sid, count, STREAM, cost)

    def _write(self, rows: list[UsageRecord]) -> None:
        records = [asdict(row) for row in rows]
        for each in self._focus_maps:
            mapped = filter(None, map(each.transform, records))
            self._tap.message_writer.write_lines(at_once.messages(each.stream_alias, mapped))

    def _address(self, partition: state.Partition) -> None:
        """Let the rows be billed to the main account, for the one that the partition is of."""
        accounts, sid = self._tap.accounts, partition["context"]["account_sid"]
        main, account = accounts.main, accounts.get(sid)
        if account and account.friendly_name:
            partition[state.ACCOUNT_NAME] = account.friendly_name
        known = state.account_names(self.state_partitions)
        name = main.friendly_name or known.get(main.sid) or self._tap.settings.billing_account_name
        units = (each.price_unit for each in account.all_time) if account else ()
        payer = Payer(
            sid=main.sid,
            name=name or main.sid,
            account_sid=sid,
            account_name=known.get(sid, sid),
            currency=next(filter(None, units), None),
        )
        for each in self._focus_maps:
            each.payer = payer
