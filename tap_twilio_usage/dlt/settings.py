"""The settings of the tap as arguments, and from the configuration of dlt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

import dlt

from tap_twilio_usage.tap import TapTwilioUsage

SECTION = "sources.twilio_usage"
TYPES = {"array": list, "boolean": bool, "integer": int, "object": dict, "string": str}


class Settings(TypedDict, total=False):
    """The settings of the tap, which `docs/reference.md` explains."""

    account_sid: str
    auth_token: str
    api_key_sid: str
    api_key_secret: str
    account_client_id: str
    account_client_secret: str
    connections: list[dict[str, str]]
    client_id: str
    client_secret: str
    billing_group_ids: list[str]
    subaccounts: str
    account_sids: list[str]
    exclude_account_sids: list[str]
    shard: str
    start_date: str
    end_date: str
    lookback_days: int
    skip_unused_categories: bool
    focus: bool
    focus_version: str
    billing_account_name: str
    use_singer_decimal: bool
    max_concurrent_requests: int
    page_size: int
    api_url: str
    billing_api_url: str
    oauth_token_url: str
    stream_maps: dict[str, Any]
    stream_map_config: dict[str, Any]
    faker_config: dict[str, Any]
    flattening_enabled: bool
    flattening_max_depth: int
    flattening_max_key_length: int
    flattening_separator: str


def resolve(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings: the arguments, then those of dlt, then those of the environment."""
    found: dict[str, Any] = {}
    for name in Settings.__annotations__:
        kind = TapTwilioUsage.config_jsonschema["properties"].get(name, {}).get("type", ["object"])
        value: Any = dlt.secrets.get(f"{SECTION}.{name}", TYPES[kind[0]])
        if value is not None:
            found[name] = value
    return {**TapTwilioUsage.environment(), **found, **arguments}
