"""The streams that are Twilio's lists as they stand: `accounts` and `usage_triggers`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import typing as th

from tap_twilio_usage._compat import override
from tap_twilio_usage.money import parsers
from tap_twilio_usage.money.parsers import Fields, Record
from tap_twilio_usage.streams.base import TwilioStream
from tap_twilio_usage.twilio.accounts import listed
from tap_twilio_usage.twilio.auth import Need
from tap_twilio_usage.twilio.usage_records import API

if TYPE_CHECKING:
    from singer_sdk.helpers.types import Context


class ListStream(TwilioStream):
    """A full table of the resources under one path.

    What is not in `fields` is left out: of that, `ignored_fields` is known and not worth a word.
    """

    selected_by_default = False
    key: ClassVar[str]
    fields: ClassVar[Fields]
    ignored_fields: ClassVar[frozenset[str]]

    def path(self, context: Context | None) -> str:
        """Give the path of the list."""
        raise TypeError(self.name)

    @override
    def rows(self, context: Context | None) -> Iterator[dict[str, Any]]:
        tap = self._tap
        path, page_size = self.path(context), tap.settings.page_size
        rows, sids, unknown = 0, set(), set[str]()
        for record, others in listed(tap.client, path, self.key, self.fields, page_size):
            rows += 1
            unknown |= others
            if record["sid"] not in sids:
                sids.add(record["sid"])
                yield self.message(record)
        self.report_findings(unknown - self.ignored_fields, rows - len(sids))

    def message(self, record: Record) -> Record:
        """Give the record as it is emitted."""
        return record


class AccountsStream(ListStream):
    """The main account and its subaccounts, closed ones too for as long as Twilio lists them.

    Twilio sends each account's Auth Token along; it is never read.
    """

    name = "accounts"
    primary_keys = ("account_sid",)
    key = "accounts"
    fields: ClassVar[Fields] = {
        "sid": parsers.name,
        "friendly_name": parsers.text,
        "status": parsers.text,
        "type": parsers.text,
        "owner_account_sid": parsers.text,
        "date_created": parsers.mail_moment,
        "date_updated": parsers.mail_moment,
    }
    ignored_fields = frozenset({"auth_token", "uri", "subresource_uris"})
    schema = th.PropertiesList(
        th.Property("account_sid", th.StringType, required=True, description="Account SID"),
        th.Property("friendly_name", th.StringType, description="The account's name"),
        th.Property("status", th.StringType, description="active, suspended or closed"),
        th.Property("type", th.StringType, description="Full or Trial"),
        th.Property("owner_account_sid", th.StringType, description="SID of the main account"),
        th.Property("date_created", th.DateTimeType, description="When it was created"),
        th.Property("date_updated", th.DateTimeType, description="When it was last changed"),
    ).to_dict()

    @property
    @override
    def need(self) -> Need:
        return Need.SUBACCOUNTS

    @override
    def path(self, context: Context | None) -> str:
        return f"{API}.json"

    @override
    def message(self, record: Record) -> Record:
        return {"account_sid": record.pop("sid"), **record}


class UsageTriggersStream(ListStream):
    """The usage triggers of each account that is read."""

    name = "usage_triggers"
    state_partitioning_keys = ()
    primary_keys = ("account_sid", "sid")
    key = "usage_triggers"
    fields: ClassVar[Fields] = {
        "account_sid": parsers.name,
        "sid": parsers.name,
        "api_version": parsers.text,
        "callback_method": parsers.text,
        "callback_url": parsers.text,
        "current_value": parsers.number,
        "date_created": parsers.mail_moment,
        "date_fired": parsers.mail_moment,
        "date_updated": parsers.mail_moment,
        "friendly_name": parsers.text,
        "recurring": parsers.text,
        "trigger_by": parsers.text,
        "trigger_value": parsers.number,
        "usage_category": parsers.text,
    }
    ignored_fields = frozenset({"uri", "usage_record_uri"})
    schema = th.PropertiesList(
        th.Property("account_sid", th.StringType, required=True, description="Account SID"),
        th.Property("sid", th.StringType, required=True, description="SID of the trigger"),
        th.Property("api_version", th.StringType, description="Version of Twilio's API"),
        th.Property("callback_method", th.StringType, description="GET or POST"),
        th.Property("callback_url", th.StringType, description="What Twilio calls when it fires"),
        th.Property("current_value", th.NumberType, description="The usage so far"),
        th.Property("date_created", th.DateTimeType, description="When it was created"),
        th.Property("date_fired", th.DateTimeType, description="When it last fired, if ever"),
        th.Property("date_updated", th.DateTimeType, description="When it was last changed"),
        th.Property("friendly_name", th.StringType, description="The trigger's name"),
        th.Property("recurring", th.StringType, description="daily, monthly, yearly; or none"),
        th.Property("trigger_by", th.StringType, description="count, usage or price"),
        th.Property("trigger_value", th.NumberType, description="The value at which it fires"),
        th.Property("usage_category", th.StringType, description="The category it watches"),
    ).to_dict()

    @property
    @override
    def partitions(self) -> list[dict[str, Any]]:
        return [{"account_sid": account.sid} for account in self._tap.accounts.chosen]

    @override
    def rows(self, context: Context | None) -> Iterator[dict[str, Any]]:
        if context:  # the SDK comes without one where there is no account at all
            yield from super().rows(context)

    @override
    def path(self, context: Context | None) -> str:
        return f"{API}/{(context or {})['account_sid']}/Usage/Triggers.json"
