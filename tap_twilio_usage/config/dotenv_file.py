"""The variables of `.env`, which add to what is exported."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, MutableMapping

from dotenv import dotenv_values

from tap_twilio_usage.config.connection import KINDS
from tap_twilio_usage.errors import TapError

# The names that Twilio's own tools have for some settings.
OF_TWILIO = {
    "account_sid": ("TWILIO_ACCOUNT_SID", "TWILIO_SID"),
    "auth_token": ("TWILIO_AUTH_TOKEN",),
    "api_key_sid": ("TWILIO_API_KEY",),
    "api_key_secret": ("TWILIO_API_SECRET",),
}


def load(path: str, prefix: str, environment: MutableMapping[str, str] = os.environ) -> None:
    """Add the variables of the file to the environment. Raises TapError.

    A setting that is exported wins, whatever its name, and so does a kind of credentials over the
    other kinds: a run beside the `.env` of production must not use production's.
    """
    try:
        found = dotenv_values(path)
    except UnicodeDecodeError:
        raise TapError(f"{path}: is not text in UTF-8; save it again") from None
    exported = {name for name, value in environment.items() if value.strip()}
    without = {*_overridden(exported, prefix)}
    for name, value in found.items():
        if value is not None and name not in without:
            environment.setdefault(name, value)


def _overridden(exported: Collection[str], prefix: str) -> Iterator[str]:
    def names(setting: str) -> tuple[str, ...]:
        return f"{prefix}{setting.upper()}", *OF_TWILIO.get(setting, ())

    def is_exported(setting: str) -> bool:
        return any(name in exported for name in names(setting))

    settings = {*filter(is_exported, OF_TWILIO)}
    chosen = [kind for kind in KINDS if any(map(is_exported, kind.names))]
    for kind in KINDS if chosen else ():
        if kind not in chosen:
            settings |= {*kind.names}
    for setting in settings:
        yield from names(setting)
