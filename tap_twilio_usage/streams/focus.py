"""The stream `focus_cost_and_usage`: the records of `usage_records_daily` in FOCUS columns."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import cached_property

from msgspec.structs import asdict
from singer_sdk.mapper import RemoveRecordTransform, StreamMap
from singer_sdk.singerlib import SchemaMessage

from tap_twilio_usage._compat import override
from tap_twilio_usage.focus.columns import KEY, NEXT, STREAM, schema_of
from tap_twilio_usage.focus.rows import Payer, change_to_next_version, cost_and_usage
from tap_twilio_usage.focus.sent_rows import SentRows
from tap_twilio_usage.logs.wording import count
from tap_twilio_usage.money.enrich import total
from tap_twilio_usage.money.parsers import Record
from tap_twilio_usage.money.usage_record import UsageRecord
from tap_twilio_usage.singer.bulk_writer import messages
from tap_twilio_usage.streams.usage_records import UsageRecordsStream
from tap_twilio_usage.sync.pipeline import Rows
from tap_twilio_usage.sync.state import AccountContext, AccountState
from tap_twilio_usage.twilio.periods import LATEST
from tap_twilio_usage.twilio.threads import once


class FocusMap(StreamMap):
    """Turns records of `usage_records_daily` into FOCUS rows, and passes them to another map."""

    payer: Payer  # for the account of the records
    currency: str | None  # of records without one

    def __init__(self, following: StreamMap, version: str) -> None:
        """Take the stream map to pass rows to, which may be one of the user's."""
        super().__init__(following.stream_alias, schema_of(version), KEY, None)
        self._is_next = version == NEXT
        self.transformed_schema = following.transformed_schema
        self.transformed_key_properties = following.transformed_key_properties
        self._following = following

    @override
    def transform(self, record: Record) -> Record | None:
        row = cost_and_usage(record, self.payer, self.currency)
        return self._following.transform(change_to_next_version(row) if self._is_next else row)

    @override
    def get_filter_result(self, record: Record) -> bool:
        return True  # only for child streams


class UsageRecordsAndFocusStream(UsageRecordsStream):
    """`usage_records_daily` and `focus_cost_and_usage`, from the same records.

    FOCUS rows are made from complete records: properties that the user deselects or removes with a
    stream map are removed from `usage_records_daily` only.
    """

    @cached_property
    def _focus_maps(self) -> list[FocusMap]:
        """A map for each stream that the user's stream maps make of the FOCUS rows."""
        return [
            FocusMap(following, self.session.settings.focus_version)
            for following in self._tap.mapper.stream_maps[STREAM]
            if not isinstance(following, RemoveRecordTransform)
        ]

    @override
    def more_schemas(self) -> Iterator[SchemaMessage]:
        for each in self._focus_maps:
            yield SchemaMessage(
                each.stream_alias, each.transformed_schema, each.transformed_key_properties
            )

    @property
    @override
    def emits_focus(self) -> bool:
        return bool(self._focus_maps) and not self.is_test

    @override
    def periods(self, context: AccountContext) -> Iterator[Rows]:
        if not self.emits_focus:
            yield from super().periods(context)
            return
        self._begin()
        state = self.session.state.usage(self.name).of(context)
        sent, emitted = None, 0
        for rows in super().periods(context):
            if sent is None:  # the pipeline has prepared the state of the account only now
                sent = self._sent_rows(state)
                payer, currency = self._payer(state)
            if rows:
                selected, of_day = sent.select(rows), total(rows)
                self._write(selected, payer, (of_day and of_day.price_unit) or currency)
                emitted += len(selected)
            yield rows
        if self._is_withdrawn(state) and not state.is_partly_withdrawn:
            state.billed = None  # all of its rows are zero
        self.logger.info("%s: loaded %s of %s", context.account_sid, count(emitted, "row"), STREAM)

    def _sent_rows(self, state: AccountState) -> SentRows:
        interrupted_up_to = self._begin()
        days = [interrupted_up_to, state.reading_up_to]
        if interrupted_up_to or state.billed is not None:
            # The STATE may be older than the rows of the target.
            days.append(LATEST if self._is_withdrawn(state) else state.catch_up_to)
        unknown_up_to = max(filter(None, days), default=None)
        return SentRows(state, unknown_up_to, self.session.settings.lookback_days)

    def _is_withdrawn(self, state: AccountState) -> bool:
        return self.session.fetch_accounts().get(state.context.account_sid) is None

    @once
    def _begin(self) -> date | None:
        """Return the day up to which an interrupted run may have sent rows; None for none.

        Mark this run as interrupted in the state, before any row is emitted, until it ends.
        """
        state = self.session.state.usage(self.name)
        unknown_up_to = state.billed_up_to
        last_day = self.session.settings.last_day(self.session.today())
        state.billed_up_to = max(unknown_up_to or last_day, last_day)
        self.write_state()
        return unknown_up_to

    @override
    def summarize(self) -> None:
        super().summarize()
        if not self.emits_focus:
            return
        state, unknown_up_to = self.session.state.usage(self.name), self._begin()
        last_day = self.session.settings.last_day(self.session.today())
        if not self.session.failures and not (unknown_up_to and last_day < unknown_up_to):
            state.billed_up_to = None
            self.write_state()

    def _write(self, rows: list[UsageRecord], payer: Payer, currency: str | None) -> None:
        records = [asdict(row) for row in rows]
        for each in self._focus_maps:
            each.payer, each.currency = payer, currency
            mapped = filter(None, map(each.transform, records))
            lines = messages(each.stream_alias, mapped)
            self._tap.message_writer.write_lines(lines)
            self._tap.message_writer.rows_by_stream[each.stream_alias] += lines.count(b"\n")

    def _payer(self, state: AccountState) -> tuple[Payer, str | None]:
        """Return the payer of the account that has this state, and the currency of the account."""
        accounts, sid = self.session.fetch_accounts(), state.context.account_sid
        main_sid, account = self._main_account_sid(state), accounts.get(sid)
        main = accounts.get(main_sid)
        known = {
            each.context.account_sid: each.account_name
            for each in self.session.state.usage(self.name).partitions
            if each.account_name
        }
        if main and main_sid not in known:  # the days may have been loaded without FOCUS before
            main.fetch_name()
        if account and account.friendly_name:
            state.account_name = known[sid] = account.friendly_name
        connections = self.session.settings.connections
        names = {each.account_sid or "": each.name for each in connections if each.name}
        names |= known
        if main and main.friendly_name:
            names[main_sid] = main.friendly_name
        units = (each.price_unit for each in account.fetch_all_time()) if account else ()
        payer = Payer(main_sid, names.get(main_sid, main_sid), sid, names.get(sid, sid))
        return payer, next(filter(None, units), None)

    def _main_account_sid(self, state: AccountState) -> str:
        """Return the SID of the account that pays, as far as an earlier run has found it out."""
        company = self.session.fetch_accounts().company(state.context.account_sid)
        main = company.main.sid if company else state.context.account_sid
        return state.main_account_sid or main
