"""The settings as typed values, and the environment variables that fill them in."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple
from zlib import crc32

from tap_twilio_usage.config.connection import Connection, connections
from tap_twilio_usage.config.dotenv_file import OF_TWILIO
from tap_twilio_usage.money import parsers
from tap_twilio_usage.money.parsers import canonical_sid
from tap_twilio_usage.twilio.periods import six_months_back

DATE = re.compile(rf"({parsers.DATE.pattern})(T00:00:00(\.0+)?(Z|\+00:00)?)?")
SHARD = re.compile(r"([0-9]{1,4})/([0-9]{1,4})")
ACCOUNT_LISTS = ("account_sids", "exclude_account_sids")
URLS = ("api_url", "billing_api_url", "oauth_token_url")


class Shard(NamedTuple):
    """One of several parts of the accounts, for one of several workers; `number` starts at 1."""

    number: int
    total: int

    @classmethod
    def parse(cls, text: str) -> Shard | None:
        """Return the shard of a text such as `2/8`; None if it is not valid."""
        match = SHARD.fullmatch(text)
        shard = cls(int(match[1]), int(match[2])) if match else None
        return shard if shard and 1 <= shard.number <= shard.total else None

    def has(self, account_sid: str) -> bool:
        """Return whether an account is in this part. It depends on the account's SID alone."""
        return crc32(account_sid.lower().encode()) % self.total == self.number - 1

    def __str__(self) -> str:
        """Return it as it is written in the settings."""
        return f"{self.number}/{self.total}"


@dataclass(frozen=True)
class Settings:
    """The settings, validated and typed. Its `repr` shows no secret.

    The settings of an account and its credentials are the first of the `connections`.
    """

    connections: tuple[Connection, ...]
    client_id: str | None
    client_secret: str | None = field(repr=False)
    billing_group_ids: tuple[str, ...] = field(repr=False)
    account_sids: tuple[str, ...]
    exclude_account_sids: tuple[str, ...]
    shard: Shard | None
    start_date: date | None
    end_date: date | None
    lookback_days: int
    skip_unused_categories: bool
    focus: bool
    focus_version: str
    use_singer_decimal: bool
    max_concurrent_requests: int
    page_size: int
    api_url: str
    billing_api_url: str
    oauth_token_url: str

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Settings:
        """Return the settings of a configuration without `validation.problems`."""
        values: dict[str, Any] = {name: config.get(name) for name in cls.__dataclass_fields__}
        for name in ("start_date", "end_date"):
            values[name] = parse_date(values[name] or "")
        values["shard"] = Shard.parse(values["shard"] or "")
        for name in URLS:
            values[name] = values[name].rstrip("/")
        values["connections"] = connections(config)
        for name in ACCOUNT_LISTS:
            values[name] = [canonical_sid(sid) for sid in values[name] or ()]
        for name in (*ACCOUNT_LISTS, "billing_group_ids"):
            values[name] = tuple(dict.fromkeys(values[name] or ()))
        return cls(**values)

    @property
    def lists_accounts(self) -> bool:
        """Whether Twilio's list of accounts says which ones to read."""
        return any(each.separates_accounts for each in self.connections)

    @property
    def separates_accounts(self) -> bool:
        """Whether there may be several accounts, each with its own rows."""
        return self.lists_accounts or len(self.connections) > 1

    def first_day(self, today: date) -> date:
        """Return the day to start at if there is no bookmark."""
        return self.start_date or six_months_back(today)

    def last_day(self, today: date) -> date:
        """Return the last day to load, which is never in the future."""
        return min(self.end_date or today, today)


def complete(config: MutableMapping[str, Any], environment: Mapping[str, str] = os.environ) -> None:
    """Fill in missing settings from the environment variables of Twilio's own tools, in place.

    An empty setting counts as missing, `4.0` as 4, as in JSON Schema, and the number 1.4 as the
    version of FOCUS that is written so without quotes in YAML. The settings decide between the
    kinds of credentials: the environment can complete that choice, but never add another kind.
    """
    for name in [name for name, value in config.items() if value is None or value == ""]:
        del config[name]
    for name, value in config.items():
        if isinstance(value, float) and value.is_integer():
            config[name] = int(value)
        elif name == "focus_version" and isinstance(value, float):
            config[name] = str(value)
    given = frozenset(config)

    def fill(name: str) -> None:
        value = next(filter(None, map(environment.get, OF_TWILIO[name])), None)
        if value:
            config.setdefault(name, value)

    fill("account_sid")
    if given & {"account_client_id", "account_client_secret"}:
        return
    if not given & {"api_key_sid", "api_key_secret"}:
        fill("auth_token")
    if "auth_token" not in given:
        fill("api_key_sid")
        fill("api_key_secret")


def parse_date(text: str) -> date | None:
    """Return the day of `YYYY-MM-DD`, also with a time of midnight in GMT; None if not valid."""
    match = DATE.fullmatch(text)
    try:
        return date.fromisoformat(match[1]) if match else None
    except ValueError:
        return None
