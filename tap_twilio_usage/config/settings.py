"""The settings: their schema, the names Twilio's own tools use, and what can be wrong."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from zlib import crc32

from jsonschema import Draft7Validator, ValidationError
from singer_sdk import typing as th
from singer_sdk.configuration._dict_config import parse_environment_config

from tap_twilio_usage.money import parsers
from tap_twilio_usage.twilio.periods import six_months_back

ACCOUNT_SID = re.compile(r"AC[0-9a-fA-F]{32}")
API_KEY_SID = re.compile(r"SK[0-9a-fA-F]{32}")
BILLING_GROUP_ID = re.compile(r"commerce_billingprofile_[0-9A-Za-z_-]+")
DATE = re.compile(rf"({parsers.DATE.pattern})(T00:00:00(\.0+)?(Z|\+00:00)?)?")
SHARD = re.compile(r"([0-9]{1,4})/([0-9]{1,4})")
LONGEST_ERROR = 300

SCHEMA = th.PropertiesList(
    th.Property(
        "account_sid",
        th.StringType,
        title="Account SID",
        description="Main account: AC and 32 hex digits",
    ),
    th.Property(
        "auth_token",
        th.StringType,
        secret=True,
        title="Auth Token",
        description="Auth Token of that account: reads subaccounts too",
    ),
    th.Property(
        "api_key_sid",
        th.StringType,
        title="API key SID",
        description="API key (SK...) instead of the Auth Token: main account only",
    ),
    th.Property(
        "api_key_secret",
        th.StringType,
        secret=True,
        title="API key secret",
        description="Secret of that API key",
    ),
    th.Property(
        "client_id",
        th.StringType,
        title="OAuth client ID",
        description=(
            "OAuth app with scope twilio/billing-insights/usage/read: needed by "
            "billing_group_records"
        ),
    ),
    th.Property(
        "client_secret",
        th.StringType,
        secret=True,
        title="OAuth client secret",
        description="Secret of that OAuth app",
    ),
    th.Property(
        "billing_group_ids",
        th.ArrayType(th.StringType),
        default=[],
        secret=True,
        title="Billing group IDs",
        description="Billing groups (commerce_billingprofile_...); without one, no such stream",
    ),
    th.Property(
        "subaccounts",
        th.StringType,
        default="rolled_up",
        allowed_values=["rolled_up", "separate", "excluded"],
        title="Subaccounts",
        description=(
            "rolled_up: one set of rows for the main account with all subaccounts inside; "
            "separate: one set for each account (needs the Auth Token); "
            "excluded: the main account's own usage"
        ),
    ),
    th.Property(
        "account_sids",
        th.ArrayType(th.StringType),
        title="Accounts",
        description="With separate: only these accounts; by default all",
    ),
    th.Property(
        "shard",
        th.StringType,
        title="Shard",
        description=(
            "With separate: only a part of the accounts, such as 2/8 for the second of eight; the "
            "same account is always in the same part"
        ),
    ),
    th.Property(
        "start_date",
        th.DateType,
        title="Start date",
        description=(
            "First day to load, GMT, inclusive; by default the first day of the month six "
            "months back"
        ),
    ),
    th.Property(
        "end_date",
        th.DateType,
        title="End date",
        description="Last day to load, GMT, inclusive; by default today",
    ),
    th.Property(
        "lookback_days",
        th.IntegerType(minimum=0),
        default=35,
        title="Lookback days",
        description=(
            "Days before the bookmark that are read again, because Twilio restates them "
            "(late carrier fees, month-end)"
        ),
    ),
    th.Property(
        "skip_unused_categories",
        th.BooleanType,
        default=True,
        title="Skip unused categories",
        description=(
            "Leave out zero rows of categories that the account has never used; a row that is "
            "not zero is never left out"
        ),
    ),
    th.Property(
        "focus",
        th.BooleanType,
        default=False,
        title="FOCUS",
        description=(
            "Emit focus_cost_and_usage as well: usage_records_daily with the columns of FOCUS 1.2"
        ),
    ),
    th.Property(
        "billing_account_name",
        th.StringType,
        title="Billing account name",
        description="With focus: BillingAccountName where Twilio does not say the account's name",
    ),
    th.Property(
        "max_concurrent_requests",
        th.IntegerType(minimum=1, maximum=32),
        default=4,
        title="Concurrent requests",
        description="Parallel requests, 1 to 32; on 429 the tap slows down by itself",
    ),
    th.Property(
        "page_size",
        th.IntegerType(minimum=1, maximum=1000),
        default=1000,
        title="Page size",
        description="Rows a page, 1 to 1000 (Twilio's PageSize)",
    ),
    th.Property(
        "api_url",
        th.StringType,
        default="https://api.twilio.com",
        title="API URL",
        description="Base URL of the API; https only, plain http on loopback alone",
    ),
    th.Property(
        "billing_api_url",
        th.StringType,
        default="https://api.twilio.com",
        title="Billing API URL",
        description="Base URL of the API of billing groups",
    ),
    th.Property(
        "oauth_token_url",
        th.StringType,
        default="https://oauth.twilio.com/v2/token",
        title="OAuth token URL",
        description="Where OAuth tokens for the API of billing groups come from",
    ),
    additional_properties=False,
).to_dict()

SECRETS = tuple(name for name, schema in SCHEMA["properties"].items() if schema.get("secret"))
URLS = ("api_url", "billing_api_url", "oauth_token_url")


class Shard(NamedTuple):
    """A part of the accounts, for one of several workers; it begins to count at 1."""

    number: int
    of_all: int

    @classmethod
    def parse(cls, text: str) -> Shard | None:
        """Read it as `2/8`; None where it makes no sense."""
        match = SHARD.fullmatch(text)
        shard = cls(int(match[1]), int(match[2])) if match else None
        return shard if shard and 1 <= shard.number <= shard.of_all else None

    def has(self, account_sid: str) -> bool:
        """Tell whether an account is in it: by its SID alone, whichever others there are."""
        return crc32(account_sid.lower().encode()) % self.of_all == self.number - 1

    def __str__(self) -> str:
        """Give it as it is written."""
        return f"{self.number}/{self.of_all}"


@dataclass(frozen=True)
class Settings:
    """The settings, checked and typed."""

    account_sid: str | None
    auth_token: str | None
    api_key_sid: str | None
    api_key_secret: str | None
    client_id: str | None
    client_secret: str | None
    billing_group_ids: list[str]
    subaccounts: str
    account_sids: list[str] | None
    shard: Shard | None
    start_date: date | None
    end_date: date | None
    lookback_days: int
    skip_unused_categories: bool
    focus: bool
    billing_account_name: str | None
    max_concurrent_requests: int
    page_size: int
    api_url: str
    billing_api_url: str
    oauth_token_url: str

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Settings:
        """Read a configuration that has no `problems`."""
        values: dict[str, Any] = {name: config.get(name) for name in cls.__dataclass_fields__}
        for name in ("start_date", "end_date"):
            values[name] = _date(values[name] or "")
        values["shard"] = Shard.parse(values["shard"]) if values["shard"] else None
        for name in URLS:
            values[name] = values[name].rstrip("/")
        values["billing_group_ids"] = list(dict.fromkeys(values["billing_group_ids"] or ()))
        return cls(**values)

    @property
    def includes_subaccounts(self) -> bool:
        """Tell what to ask Twilio for."""
        return self.subaccounts == "rolled_up"

    @property
    def separates_accounts(self) -> bool:
        """Tell whether each account has rows of its own."""
        return self.subaccounts == "separate"

    def first_day(self, today: date) -> date:
        """Give the day to start at where there is no bookmark."""
        return self.start_date or six_months_back(today)

    def last_day(self, today: date) -> date:
        """Give the last day to load: never one that has not begun."""
        return min(self.end_date or today, today)


def complete(config: MutableMapping[str, Any]) -> None:
    """Fill in what the names of Twilio's own tools hold in the environment.

    Empty settings count as not given. What is given decides between the Auth Token and the API
    key: the environment adds to it and never brings in the other kind.
    """
    for name in [name for name, value in config.items() if value is None or value == ""]:
        del config[name]
    given = frozenset(config)
    _take(config, "account_sid", "TWILIO_ACCOUNT_SID", "TWILIO_SID")
    if not given & {"api_key_sid", "api_key_secret"}:
        _take(config, "auth_token", "TWILIO_AUTH_TOKEN")
    if "auth_token" not in given:
        _take(config, "api_key_sid", "TWILIO_API_KEY")
        _take(config, "api_key_secret", "TWILIO_API_SECRET")


def has_only_oauth(config: Mapping[str, Any]) -> bool:
    """Tell whether billing groups are all that the credentials are for."""
    of_account = ("auth_token", "api_key_sid", "api_key_secret")
    return bool(config.get("billing_group_ids")) and not any(map(config.get, of_account))


def secrets(config: Mapping[str, Any]) -> Iterator[str]:
    """Give the values that no line of the log may hold, also of settings that were not checked."""
    for value in map(config.get, SECRETS):
        values = value if isinstance(value, list) else [value]
        yield from (each for each in values if isinstance(each, str))


def _take(config: MutableMapping[str, Any], name: str, *variables: str) -> None:
    value = next(filter(None, map(os.environ.get, variables)), None)
    if value:
        config.setdefault(name, value)


def unreadable(schema: Mapping[str, Any], prefix: str) -> Iterator[str]:
    """Name the environment variables whose text is not of the setting's type, one line each."""
    for name, described in schema["properties"].items():
        try:
            parse_environment_config({"properties": {name: described}}, prefix)
        except ValueError:
            variable, kind = f"{prefix}{name.upper()}", described["type"][0]
            yield f"{name}: the environment's {variable} is no {kind}; write it as in JSON"


def problems(config: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    """Say what is wrong with a configuration, one line each, without a secret's value."""
    errors = sorted(
        Draft7Validator(schema).iter_errors(config), key=lambda e: list(map(str, e.path))
    )
    if errors:
        return [line for error in errors for line in _schema_problems(error, config, schema)]
    return list(_problems(config))


def _schema_problems(
    error: ValidationError, config: Mapping[str, Any], schema: Mapping[str, Any]
) -> Iterator[str]:
    name = str(error.path[0]) if error.path else ""
    if name in SECRETS:
        many = schema["properties"][name]["type"][0] == "array"
        yield f"{name}: must be a {'list of strings' if many else 'string'}"
    elif name:
        yield f"{'.'.join(map(str, error.path))}: {error.message[:LONGEST_ERROR]}"
    else:
        for unknown in sorted(set(config) - set(schema["properties"])):
            near = get_close_matches(unknown, schema["properties"], n=1)
            yield f"{unknown}: no such setting" + (f"; is it {near[0]}?" if near else "")


def _problems(config: Mapping[str, Any]) -> Iterator[str]:
    yield from _account_problems(config)
    yield from _secret_problems(config)
    yield from _date_problems(config)
    name = config.get("billing_account_name", "-")
    if not (name.strip() and name.isprintable()):
        yield "billing_account_name: holds nothing, or a character that no name has"
    for name in URLS:
        if name in config and (wrong := _url_problem(config[name])):
            yield f"{name}: {wrong}"


def _account_problems(config: Mapping[str, Any]) -> Iterator[str]:
    account_sid, api_key_sid = config.get("account_sid"), config.get("api_key_sid")
    if account_sid is not None and not ACCOUNT_SID.fullmatch(account_sid):
        yield "account_sid: must be AC followed by 32 hex digits (the Console's Account SID)"
    if api_key_sid is not None and not API_KEY_SID.fullmatch(api_key_sid):
        yield "api_key_sid: must be SK followed by 32 hex digits (the SID of the API key)"
    account_sids = config.get("account_sids") or ()
    for sid in account_sids:
        if not ACCOUNT_SID.fullmatch(sid):
            yield f"account_sids: {sid!r} must be AC followed by 32 hex digits"
    for name in ("account_sids", "shard"):
        if config.get(name) and config.get("subaccounts") != "separate":
            yield f"{name}: works with subaccounts: separate only; remove it, or set that"
    if (shard := config.get("shard")) and not Shard.parse(shard):
        yield f"shard: {shard!r} is no part such as 2/8: the second of eight"


def _secret_problems(config: Mapping[str, Any]) -> Iterator[str]:
    for name in ("auth_token", "api_key_secret", "client_id", "client_secret"):
        if not re.fullmatch(r"[!-~]*", config.get(name) or ""):
            yield f"{name}: holds a blank or a character that no Twilio secret has"
    for number, group_id in enumerate(config.get("billing_group_ids") or (), 1):
        if not BILLING_GROUP_ID.fullmatch(group_id):
            yield f"billing_group_ids: number {number} is no commerce_billingprofile_... id"


def _date_problems(config: Mapping[str, Any]) -> Iterator[str]:
    wrong_dates = [n for n in ("start_date", "end_date") if n in config and not _date(config[n])]
    for name in wrong_dates:
        yield f"{name}: {config[name]!r} is no date; write it as YYYY-MM-DD"
    if not wrong_dates and {"start_date", "end_date"} <= config.keys():
        start, end = _date(config["start_date"]), _date(config["end_date"])
        if start and end and start > end:
            yield f"start_date: {start} lies after end_date, {end}"


def _date(text: str) -> date | None:
    match = DATE.fullmatch(text)
    try:
        return date.fromisoformat(match[1]) if match else None
    except ValueError:
        return None


def _url_problem(text: str) -> str | None:
    try:
        url = urlsplit(text)
        host, _ = url.hostname, url.port
    except ValueError:
        return "is no URL"
    if url.scheme not in {"http", "https"} or not host or "\\" in text:
        return "must be a URL such as https://api.twilio.com"
    if url.username is not None or url.password is not None or url.query or url.fragment:
        return "must hold no user, password, query or fragment"
    if url.scheme == "http" and not _is_loopback(host):
        return "must be https: credentials travel with every request (http on loopback only)"
    return None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
