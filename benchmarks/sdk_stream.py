"""A plain tap of the Meltano SDK for the same records: the baseline.

As one would write it in an hour: the SDK's `RESTStream` for the accounts and, as its child, for
the daily usage records, with all fields that Twilio sends, as the Singer tap of old has them
(singer-io/tap-twilio). It counts no dollar once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import ParseResult, parse_qsl

import requests
from singer_sdk import RESTStream, Stream, Tap
from singer_sdk import typing as th
from singer_sdk.authenticators import BasicAuthenticator
from singer_sdk.helpers.types import Context, Record
from singer_sdk.pagination import BaseHATEOASPaginator

from tap_twilio_usage._compat import override

SUBRESOURCES = (
    "all_time",
    "daily",
    "last_month",
    "monthly",
    "this_month",
    "today",
    "yearly",
    "yesterday",
)


class NextPage(BaseHATEOASPaginator):
    """Follows `next_page_uri`."""

    @override
    def get_next_url(self, response: requests.Response) -> str | None:
        link: str | None = response.json()["next_page_uri"]
        return link


class TwilioStream(RESTStream[ParseResult]):
    """A list of Twilio's API."""

    @property
    @override
    def url_base(self) -> str:
        url: str = self.config["api_url"]
        return f"{url}/2010-04-01"

    @property
    @override
    def authenticator(self) -> BasicAuthenticator:
        return BasicAuthenticator(
            username=self.config["account_sid"], password=self.config["auth_token"]
        )

    @override
    def get_new_paginator(self) -> NextPage:
        return NextPage()

    @override
    def get_url_params(
        self, context: Context | None, next_page_token: ParseResult | None
    ) -> dict[str, Any]:
        if next_page_token:
            return dict(parse_qsl(next_page_token.query))
        return {"PageSize": 1000, **self.filters(context)}

    def filters(self, _context: Context | None) -> Mapping[str, str]:
        """Give what to ask for."""
        return {}


class AccountsStream(TwilioStream):
    """The main account and its subaccounts."""

    name = "accounts"
    path = "/Accounts.json"
    records_jsonpath = "$.accounts[*]"
    primary_keys = ("sid",)
    schema = th.PropertiesList(
        th.Property("sid", th.StringType, required=True),
        th.Property("friendly_name", th.StringType),
        th.Property("status", th.StringType),
        th.Property("date_created", th.StringType),
    ).to_dict()

    @override
    def get_child_context(self, record: Record, context: Context | None) -> dict[str, Any]:
        return {"account_sid": record["sid"]}


class UsageRecordsStream(TwilioStream):
    """A row for every account, category and day."""

    name = "usage_records_daily"
    parent_stream_type = AccountsStream
    path = "/Accounts/{account_sid}/Usage/Records/Daily.json"
    records_jsonpath = "$.usage_records[*]"
    primary_keys = ("account_sid", "category", "start_date")
    replication_key = "start_date"
    schema = th.PropertiesList(
        th.Property("account_sid", th.StringType, required=True),
        th.Property("api_version", th.StringType),
        th.Property("as_of", th.DateTimeType),
        th.Property("category", th.StringType, required=True),
        th.Property("count", th.StringType),
        th.Property("count_unit", th.StringType),
        th.Property("description", th.StringType),
        th.Property("end_date", th.DateType),
        th.Property("price", th.StringType),
        th.Property("price_unit", th.StringType),
        th.Property("start_date", th.DateType, required=True),
        th.Property(
            "subresource_uris",
            th.ObjectType(*(th.Property(name, th.StringType) for name in SUBRESOURCES)),
        ),
        th.Property("uri", th.StringType),
        th.Property("usage", th.StringType),
        th.Property("usage_unit", th.StringType),
    ).to_dict()

    @override
    def filters(self, context: Context | None) -> Mapping[str, str]:
        return {
            "StartDate": self.get_starting_replication_key_value(context),
            "EndDate": self.config["end_date"],
            "IncludeSubaccounts": "false",
        }


class TapPlain(Tap):
    """The tap."""

    name = "tap-plain"
    config_jsonschema = th.PropertiesList(
        th.Property("account_sid", th.StringType, required=True),
        th.Property("auth_token", th.StringType, required=True, secret=True),
        th.Property("start_date", th.DateType, required=True),
        th.Property("end_date", th.DateType, required=True),
        th.Property("api_url", th.StringType, default="https://api.twilio.com"),
    ).to_dict()

    @override
    def discover_streams(self) -> list[Stream]:
        return [AccountsStream(self), UsageRecordsStream(self)]


if __name__ == "__main__":
    TapPlain.cli()
