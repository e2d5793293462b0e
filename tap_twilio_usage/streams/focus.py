"""The stream `focus_cost_and_usage`: `usage_records_daily` once more, with the columns of FOCUS."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
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
from tap_twilio_usage.singer.bulk_writer import messages
from tap_twilio_usage.streams.usage_records import UsageRecordsStream
from tap_twilio_usage.sync.pipeline import Rows
from tap_twilio_usage.sync.state import AccountContext, AccountState
from tap_twilio_usage.twilio.threads import once


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
    """`usage_records_daily`, and the FOCUS rows of the same records.

    These are made of whole records: what a catalog deselects, or a user's map removes, concerns
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
    def more_schemas(self) -> Iterator[SchemaMessage]:
        for each in self._focus_maps:
            yield SchemaMessage(
                each.stream_alias, each.transformed_schema, each.transformed_key_properties
            )

    @override
    def periods(self, context: AccountContext) -> Iterator[Rows]:
        if not self._focus_maps or self.is_test:
            yield from super().periods(context)
            return
        self._begin()
        state = self.session.state.usage(self.name).of(context)
        sent, count = None, 0
        for rows in super().periods(context):
            if sent is None:  # only now the state is as it has to be before the account is read
                sent = self._sent_rows(state)
                self._warn_of_missing_days(sent)
                payer, currency = self._payer(state)
            if rows:
                selected, of_day = sent.select(rows), total(rows)
                self._write(selected, payer, (of_day and of_day.price_unit) or currency)
                count += len(selected)
            yield rows
        (sent or self._sent_rows(state)).end()
        self.logger.info("%s: %s rows of %s", context.account_sid, f"{count:,}", STREAM)

    def _sent_rows(self, state: AccountState) -> SentRows:
        return SentRows(state, self._begin(), self.session.settings.lookback_days)

    def _warn_of_missing_days(self, sent: SentRows) -> None:
        if sent.lacks_days:
            self.anomalies.warn_once(
                "focus",
                "%s lacks days that were loaded without it: empty it, if it exists, and run once "
                "with --full-refresh",
                STREAM,
            )

    @once
    def _begin(self) -> date | None:
        """Return the day up to which a run that was cut off may have sent rows; None for none.

        From now on this run is one, until it ends. The state says so before any row goes out.
        """
        state = self.session.state.usage(self.name)
        unknown_up_to = state.billed_up_to
        last_day = self.session.settings.last_day(self.session.today())
        state.billed_up_to = max(unknown_up_to or last_day, last_day)
        self.save()
        return unknown_up_to

    @override
    def summarize(self) -> None:
        super().summarize()
        if not self.session.failures:
            self.session.state.usage(self.name).billed_up_to = None
            self.save()

    def _write(self, rows: list[UsageRecord], payer: Payer, currency: str | None) -> None:
        records = [asdict(row) for row in rows]
        for each in self._focus_maps:
            each.payer, each.currency = payer, currency
            mapped = filter(None, map(each.transform, records))
            self._tap.message_writer.write_lines(messages(each.stream_alias, mapped))

    def _payer(self, state: AccountState) -> tuple[Payer, str | None]:
        """Return who pays for the account that the state is of, and its currency."""
        accounts, sid = self.session.fetch_accounts(), state.context.account_sid
        main, account = accounts.main, accounts.get(sid)
        if account and account.friendly_name:
            state.account_name = account.friendly_name
        known = {
            each.context.account_sid: each.account_name
            for each in self.session.state.usage(self.name).partitions
            if each.account_name
        }
        configured = self.session.settings.billing_account_name
        name = main.friendly_name or known.get(main.sid) or configured
        units = (each.price_unit for each in account.fetch_all_time()) if account else ()
        payer = Payer(main.sid, name or main.sid, sid, known.get(sid, sid))
        return payer, next(filter(None, units), None)
