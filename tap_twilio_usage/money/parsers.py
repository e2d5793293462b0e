"""Readers of single values in Twilio's JSON: exact, checked, and silent about what they reject.

Each takes a JSON value whose numbers were left as text. It returns the typed value, or raises
ValueError with a reason that completes the sentence "its price ...", such as "is not a number".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timezone
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

# A price of more digits is none; the bound keeps exact sums affordable.
NUMBER = re.compile(r"[+-]?([0-9]{1,60}(\.[0-9]{0,60})?|\.[0-9]{1,60})([eE][+-]?[0-9]{1,2})?")
# Years in which sums of dates stay dates.
DATE = re.compile(r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}")
MOMENT = re.compile(
    rf"({DATE.pattern}T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}})(?:\.[0-9]{{1,9}})?(Z|[+-][0-9]{{2}}:[0-9]{{2}})?"
)
NO_TEXT = re.compile("[\0\ud800-\udfff]")  # neither UTF-8 nor PostgreSQL takes these
LONGEST_NAME = 255  # characters; a longer key fits no index
LONGEST_CURRENCY = 20

Record = dict[str, Any]
Fields = Mapping[str, Callable[[object], Any]]


class InvalidRecordError(ValueError):
    """A JSON object that is not the record it should be. The message names the field, no value."""


def number(value: object) -> Decimal | None:
    """Give an exact decimal; None for null and for "", which Twilio sends where there is none."""
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not NUMBER.fullmatch(value):
        raise ValueError("is not a number")
    return Decimal(value)


def day(value: object) -> date:
    """Give the date."""
    if not isinstance(value, str) or not DATE.fullmatch(value):
        raise ValueError("is not a date")
    return date.fromisoformat(value)


def moment(value: object) -> str | None:
    """Give the date-time as Twilio wrote it, if it is one."""
    if value is None or value == "":
        return None
    match = MOMENT.fullmatch(value) if isinstance(value, str) else None
    if not match:
        raise ValueError("is not a date-time")
    datetime.fromisoformat(match[1] + (match[2] or "Z").replace("Z", "+00:00"))
    return match[0]


def mail_date(value: object) -> datetime:
    """Give the time, UTC, of a date as in a mail's head (RFC 2822). Raises ValueError."""
    if not isinstance(value, str):
        raise ValueError("is not a date-time")  # noqa: TRY004  (one kind of error for one kind of fault)
    try:
        time = parsedate_to_datetime(value)
        return (time if time.tzinfo else time.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    except OverflowError:
        raise ValueError("is out of range") from None


def mail_moment(value: object) -> str | None:
    """Give a date-time that Twilio wrote as in a mail's head, in ISO 8601, UTC."""
    return None if value is None or value == "" else mail_date(value).isoformat()


def text(value: object) -> str | None:
    """Give the text."""
    if value is None:
        return None
    if not isinstance(value, str) or NO_TEXT.search(value):
        raise ValueError("is not text")
    return value


def currency(value: object) -> str | None:
    """Give the name of a currency, as it is written: short, for logs have it as well."""
    unit = text(value)
    if unit and not (unit.isprintable() and len(unit) <= LONGEST_CURRENCY):
        raise ValueError("is not a currency")
    return unit


def name(value: object) -> str:
    """Give a text that may not be missing: a part of the key."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("is missing")
    if NO_TEXT.search(value):
        raise ValueError("is not text")
    if len(value) > LONGEST_NAME:
        raise ValueError("is too long")
    return value


def nested(value: object) -> dict[str, Any]:
    """Give the object; an empty one for null."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError("is no JSON object")  # noqa: TRY004
    return value


def parse(raw: object, fields: Fields) -> Record:
    """Give these fields of one of Twilio's records, typed.

    Raises InvalidRecordError that names the field and what is wrong with it, never the record.
    """
    if not isinstance(raw, dict):
        raise InvalidRecordError("it is no JSON object")
    record = {}
    for field, reader in fields.items():
        try:
            record[field] = reader(raw.get(field))
        except ValueError as error:
            why = str(error) if str(error).startswith("is ") else "cannot be read"
            raise InvalidRecordError(f"its {field} {why}") from None
    return record
