"""What is wrong with the setting `connections`, in one line for each problem, without a secret."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from jsonschema import ValidationError

from tap_twilio_usage.config.connection import AUTH_TOKEN, KINDS, OF_CREDENTIALS, label
from tap_twilio_usage.logs.redaction import shown
from tap_twilio_usage.money.parsers import ACCOUNT_SID, canonical_sid

API_KEY_SID = re.compile(r"SK[0-9a-fA-F]{32}")
SECRET = re.compile(r"[!-~]*")
ONE_OF_THREE = (
    "auth_token, api_key_sid and api_key_secret, or account_client_id and account_client_secret"
)
NOT_SECRET = {"account_sid", "name", "subaccounts", "api_key_sid"}


def secrets(found: object) -> Iterator[str]:
    """Yield every text in `connections` that may be a secret; it may be an invalid value."""
    if isinstance(found, str):
        yield found
    for each in found if isinstance(found, list) else ():
        if not isinstance(each, Mapping):
            yield f"{each}"
            continue
        for name, value in each.items():
            if name not in NOT_SECRET:
                yield f"{value}"


def schema_problems(error: ValidationError, config: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines for what the JSON schema finds wrong."""
    _, *rest = error.path
    if not rest:
        yield "connections: must be a list of objects; from the environment, as JSON"
        return
    found = config["connections"][rest[0]]
    where = _label(int(rest[0]) + 1, found)
    known = error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}
    if len(rest) > 1:
        choices = error.schema.get("enum") if isinstance(error.schema, dict) else None
        form = f"one of {', '.join(choices)}" if choices else "a string"
        yield f"{where}: {rest[1]} must be {form}"
    elif not isinstance(found, Mapping):
        yield f"{where}: must be an object with account_sid and its credentials"
    elif "account_sid" not in found and error.validator == "required":
        yield f"{where}: account_sid is missing"
    else:
        for unknown in sorted(found.keys() - known):
            near = get_close_matches(unknown, known, n=1)
            said = unknown if near else shown(unknown).strip("'")
            yield f"{where}: {said}: unknown; " + (f"use {near[0]}" if near else "remove it")


def problems(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with connections that fit the schema."""
    positions: dict[str, int] = {}
    if config.get("account_sid"):
        positions[canonical_sid(config["account_sid"])] = 0
    excluded = {*map(canonical_sid, config.get("exclude_account_sids") or ())}
    for position, each in enumerate(config.get("connections") or (), 1):
        where, sid = _label(position, each), canonical_sid(each["account_sid"])
        if not ACCOUNT_SID.fullmatch(each["account_sid"]):
            yield f"{where}: account_sid must be AC followed by 32 hex digits"
        elif sid in positions:
            other = positions[sid]
            there = f"connection {other}" if other else "account_sid (TWILIO_ACCOUNT_SID)"
            yield f"{where}: {sid} is named by {there} too; remove one of them"
        elif sid in excluded:
            yield f"{where}: {sid} is in exclude_account_sids too; remove it from one of them"
        positions.setdefault(sid, position)
        yield from (f"{where}: {problem}" for problem in _credential_problems(each))
        name = each.get("name")
        if name and not (name.strip() and name.isprintable()):
            yield f"{where}: name contains a character that cannot be printed"


def _credential_problems(given: Mapping[str, Any]) -> Iterator[str]:
    kinds = [kind for kind in KINDS if any(map(given.get, kind.names))]
    missing = [name for kind in kinds for name in kind.names if not given.get(name)]
    if not kinds:
        yield f"has no credentials; set {ONE_OF_THREE}"
    elif len(kinds) > 1:
        yield f"has {' and '.join(kind.title for kind in kinds)}; keep one of them"
    elif missing:
        yield f"{missing[0]} is missing"
    elif given.get("subaccounts") == "separate" and kinds[0] is not AUTH_TOKEN:
        yield (
            f"{kinds[0].title} reads one account only, so subaccounts cannot be separate; use "
            "excluded, and a connection for each subaccount"
        )
    if given.get("api_key_sid") and not API_KEY_SID.fullmatch(given["api_key_sid"]):
        yield "api_key_sid must be SK followed by 32 hex digits"
    for name in OF_CREDENTIALS:
        if not SECRET.fullmatch(given.get(name) or ""):
            yield f"{name} contains whitespace or a character that no Twilio secret has"


def _label(position: int, found: object) -> str:
    name = found.get("name") if isinstance(found, Mapping) else None
    return f"connections: {label(position, name)}"
