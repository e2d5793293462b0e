"""The streams `accounts` and `usage_triggers`, which are full tables of Twilio's lists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import typing as th

from tap_twilio_usage._compat import override
from tap_twilio_usage.config import credentials
from tap_twilio_usage.config.credentials import Need
from tap_twilio_usage.logs.anomalies import Findings
from tap_twilio_usage.money import parsers
from tap_twilio_usage.money.parsers import Fields, Record, canonical_sid
from tap_twilio_usage.streams.base import TwilioStream
from tap_twilio_usage.twilio.accounts import fetch_list
from tap_twilio_usage.twilio.client import Client
from tap_twilio_usage.twilio.errors import ApiError
from tap_twilio_usage.twilio.usage_records import API

if TYPE_CHECKING:
    from singer_sdk.helpers.types import Context


class ListStream(TwilioStream):
    """A full table of the resources at one path.

    Only `fields` are loaded. `ignored_fields` are known too; any other field causes a warning.
    """

    selected_by_default = False
    key: ClassVar[str]
    fields: ClassVar[Fields]
    ignored_fields: ClassVar[frozenset[str]]

    def entries(self, client: Client, path: str) -> Iterator[Record]:
        """Yield the entries of a list."""
        page_size = self.session.settings.page_size
        entries = fetch_list(client, path, self.key, self.fields, page_size)
        findings, sids = Findings(), set[str]()
        for record, others in entries:
            findings.unknown_fields |= others - self.ignored_fields
            if record["sid"] in sids:
                findings.repeated_rows += 1
                continue
            sids.add(record["sid"])
            yield record
        self.anomalies.report(findings)


class AccountsStream(ListStream):
    """The main account and its subaccounts, including closed ones as long as Twilio lists them.

    Twilio's list contains the Auth Token of each account, which the tap never reads.
    """

    name = "accounts"
    primary_keys = ("account_sid",)
    key = "accounts"
    fields: ClassVar[Fields] = {
        "sid": parsers.account_sid,
        "friendly_name": parsers.text,
        "status": parsers.text,
        "type": parsers.text,
        "owner_account_sid": lambda value: canonical_sid(parsers.text(value) or "") or None,
        "date_created": parsers.mail_moment,
        "date_updated": parsers.mail_moment,
    }
    ignored_fields = frozenset({"auth_token", "uri", "subresource_uris"})
    schema = th.PropertiesList(
        th.Property("account_sid", th.StringType, required=True, description="Account SID"),
        th.Property("friendly_name", th.StringType, description="Name of the account"),
        th.Property("status", th.StringType, description="active, suspended or closed"),
        th.Property("type", th.StringType, description="Full or Trial"),
        th.Property("owner_account_sid", th.StringType, description="SID of the main account"),
        th.Property("date_created", th.DateTimeType, description="Time of creation"),
        th.Property("date_updated", th.DateTimeType, description="Time of the last change"),
    ).to_dict()

    @property
    @override
    def need(self) -> Need:
        return Need.LISTS

    @override
    def contexts_to_test(self) -> list[dict[str, Any]]:
        return []

    @override
    def rows(self, context: Context | None) -> Iterator[dict[str, Any]]:
        emitted = set[str]()
        for connection, client in self.session.clients.items():
            if why := credentials.problem(connection, Need.LISTS):
                sid = connection.account_sid
                self.logger.info("%s: its list of accounts is not loaded: %s", sid, why)
                continue
            try:
                for record in self.entries(client, f"{API}.json"):
                    sid = record.pop("sid")
                    if sid not in emitted:
                        emitted.add(sid)
                        yield {"account_sid": sid, **record}
            except ApiError as error:
                if not self.session.settings.separates_accounts:
                    raise
                self.fail({"account_sid": connection.account_sid}, error)


class UsageTriggersStream(ListStream):
    """The usage triggers of the accounts that are read."""

    name = "usage_triggers"
    state_partitioning_keys = ()
    primary_keys = ("account_sid", "sid")
    key = "usage_triggers"
    fields: ClassVar[Fields] = {
        "account_sid": parsers.account_sid,
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
        th.Property("callback_url", th.StringType, description="URL that Twilio calls"),
        th.Property("current_value", th.NumberType, description="Current value of trigger_by"),
        th.Property("date_created", th.DateTimeType, description="Time of creation"),
        th.Property("date_fired", th.DateTimeType, description="Time when it last fired, if ever"),
        th.Property("date_updated", th.DateTimeType, description="Time of the last change"),
        th.Property("friendly_name", th.StringType, description="Name of the trigger"),
        th.Property("recurring", th.StringType, description="daily, monthly or yearly, if any"),
        th.Property("trigger_by", th.StringType, description="count, usage or price"),
        th.Property("trigger_value", th.NumberType, description="Value at which it fires"),
        th.Property("usage_category", th.StringType, description="Category that it monitors"),
    ).to_dict()

    @override
    def prepare(self) -> None:
        accounts = self.fetch_accounts().chosen
        self.contexts = [{"account_sid": account.sid} for account in accounts]

    @override
    def rows(self, context: Context | None) -> Iterator[dict[str, Any]]:
        if not context:  # the SDK passes None if there is no account
            return
        sid = context["account_sid"]
        path, account = f"{API}/{sid}/Usage/Triggers.json", self.session.fetch_accounts()[sid]
        for row in self.entries(account.client, path):
            if row["account_sid"] != sid:
                raise ApiError(
                    f"{path}: a usage trigger is of another account than {sid}, which was "
                    "requested; check account_sid"
                )
            yield row
