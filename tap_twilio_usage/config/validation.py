"""What is wrong with a configuration, in one line for each problem, without a secret's value."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from jsonschema import Draft7Validator, ValidationError

from tap_twilio_usage.config import connection_problems as of_connections
from tap_twilio_usage.config import urls
from tap_twilio_usage.config.connection import OAUTH_APP, OF_CREDENTIALS, connections
from tap_twilio_usage.config.connection_problems import API_KEY_SID, SECRET
from tap_twilio_usage.config.schema import SECRETS
from tap_twilio_usage.config.settings import ACCOUNT_LISTS, URLS, Shard, parse_date
from tap_twilio_usage.logs.redaction import Redactor, long_values, shown
from tap_twilio_usage.money.parsers import ACCOUNT_SID, canonical_sid

BILLING_GROUP_ID = re.compile(r"commerce_billingprofile_[0-9A-Za-z_-]+")
LONGEST_ERROR = 300  # characters of a message that may quote a value


def problems(config: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a configuration; nothing if it can be used."""
    errors = sorted(
        Draft7Validator(schema).iter_errors(config), key=lambda e: list(map(str, e.path))
    )
    if errors:
        return [line for error in errors for line in _schema_problems(error, config, schema)]
    return [
        *_account_problems(config),
        *_selection_problems(config),
        *of_connections.problems(config),
        *_secret_problems(config),
        *_date_problems(config),
        *_name_problems(config),
        *_url_problems(config),
    ]


def secrets(config: Mapping[str, Any]) -> Iterator[str]:
    """Return the values that no output may contain; the configuration may be an invalid one."""
    yield from of_connections.secrets(config.get("connections"))
    for value in map(config.get, SECRETS):
        values = value if isinstance(value, list) else [value]
        yield from (each for each in values if isinstance(each, str))


def _schema_problems(
    error: ValidationError, config: Mapping[str, Any], schema: Mapping[str, Any]
) -> Iterator[str]:
    name = str(error.path[0]) if error.path else ""
    if name == "connections":
        yield from of_connections.schema_problems(error, config)
    elif name in SECRETS:
        many = schema["properties"][name]["type"][0] == "array"
        yield f"{name}: must be a {'list of strings' if many else 'string'}"
    elif name:
        redactor = Redactor(long_values([*error.path, error.instance]))
        where = ".".join([name, *(redactor.text(f"{key}") for key in [*error.path][1:])])
        if error.validator == "type" and "boolean" in f"{error.validator_value}":
            yield f"{where}: {shown(error.instance)} is not a boolean; use true or false"
            return
        yield f"{where}: {redactor.text(error.message)[:LONGEST_ERROR]}"
    else:
        for unknown in sorted(set(config) - set(schema["properties"])):
            near = get_close_matches(unknown, schema["properties"], n=1)
            said = unknown if near else shown(unknown).strip("'")
            yield f"{said}: unknown setting; " + (f"use {near[0]}" if near else "remove it")


def _account_problems(config: Mapping[str, Any]) -> Iterator[str]:
    account_sid, api_key_sid = config.get("account_sid"), config.get("api_key_sid")
    if account_sid is not None and not ACCOUNT_SID.fullmatch(account_sid):
        yield "account_sid: must be AC followed by 32 hex digits (the Account SID in the Console)"
    if api_key_sid is not None and not API_KEY_SID.fullmatch(api_key_sid):
        yield "api_key_sid: must be SK followed by 32 hex digits (the SID of the API key)"
    if any(map(config.get, OAUTH_APP.names)) and any(
        config.get(name) for name in OF_CREDENTIALS if name not in OAUTH_APP.names
    ):
        yield (
            "account_client_id: there are other credentials of the account as well; remove them, "
            "or remove account_client_id and account_client_secret"
        )


def _selection_problems(config: Mapping[str, Any]) -> Iterator[str]:
    for name in ACCOUNT_LISTS:
        for position, sid in enumerate(config.get(name) or (), 1):
            if not ACCOUNT_SID.fullmatch(sid):
                yield f"{name}: SID {position}, {shown(sid)}, must be AC followed by 32 hex digits"
    only, excluded = ({*map(canonical_sid, config.get(name) or ())} for name in ACCOUNT_LISTS)
    for sid in sorted(only & excluded):
        yield f"account_sids: {sid} is in exclude_account_sids too; remove it from one of them"
    found = connections(config)
    separates = any(each.separates_accounts for each in found)
    for name in (*ACCOUNT_LISTS, *(["shard"] if len(found) == 1 else [])):
        if not config.get(name) or separates:
            continue
        if any(each.is_by_itself for each in found):
            yield (
                f"{name}: requires an Auth Token, which lists accounts; remove it, and name in "
                "connections only what to load"
            )
        else:
            yield f"{name}: requires subaccounts: separate; set that, or remove {name}"
    if (shard := config.get("shard")) and not Shard.parse(shard):
        yield (
            f"shard: {shown(shard)} is not a valid shard; use one such as 2/8, the second of eight"
        )


def _secret_problems(config: Mapping[str, Any]) -> Iterator[str]:
    for name in (*OF_CREDENTIALS, "client_id", "client_secret"):
        if not SECRET.fullmatch(config.get(name) or ""):
            yield (
                f"{name}: contains whitespace or a character that no Twilio secret has; copy it "
                "again"
            )
    for position, group_id in enumerate(config.get("billing_group_ids") or (), 1):
        if not BILLING_GROUP_ID.fullmatch(group_id):
            yield (
                f"billing_group_ids: ID {position} is not valid; use the form "
                "commerce_billingprofile_..."
            )


def _date_problems(config: Mapping[str, Any]) -> Iterator[str]:
    days = {name: parse_date(config[name]) for name in ("start_date", "end_date") if name in config}
    for name, day in days.items():
        if day is None:
            yield f"{name}: {shown(config[name])} is not a valid date; use YYYY-MM-DD"
    start, end = days.get("start_date"), days.get("end_date")
    if start and end and start > end:
        yield f"start_date: {start} is after end_date, {end}; change one of them"


def _name_problems(config: Mapping[str, Any]) -> Iterator[str]:
    name = config.get("billing_account_name", "-")
    if not (name.strip() and name.isprintable()):
        yield "billing_account_name: is empty or contains a character that cannot be printed"


def _url_problems(config: Mapping[str, Any]) -> Iterator[str]:
    for name in URLS:
        if name in config and (problem := urls.problem(name, config[name])):
            yield f"{name}: {problem}"
