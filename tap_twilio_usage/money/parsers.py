"""Strict parsers of single values in Twilio's JSON.

Each takes a JSON value whose numbers were left as text. It returns the typed value, or raises
ValueError with a reason that completes the sentence "its price ...", such as "is not a number".
No message contains the value itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timezone
from decimal import Decimal, Inexact
from email.utils import parsedate_to_datetime
from typing import Any

from tap_twilio_usage.money.amounts import EXACT

# No price has more digits. The limit bounds the cost of exact sums.
NUMBER = re.compile(r"[+-]?([0-9]{1,60}(\.[0-9]{0,60})?|\.[0-9]{1,60})([eE][+-]?[0-9]{1,2})?")
# Only years in which date arithmetic cannot overflow.
DATE = re.compile(r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}")
MOMENT = re.compile(
    rf"({DATE.pattern}T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}})(?:\.[0-9]{{1,9}})?(Z|[+-][0-9]{{2}}:[0-9]{{2}})?"
)
INVALID_TEXT = re.compile("[\0\ud800-\udfff]")  # UTF-8 or PostgreSQL cannot store these
MAX_PRICE_DIGITS, SMALLEST_PRICE = 26, Decimal("1E-12")  # of DECIMAL(38, 12)
MAIL_ZONE = re.compile(r" ([+-]\d{4}|GMT|UTC?)\s*$", re.ASCII)
ACCOUNT_SID = re.compile(r"AC[0-9a-fA-F]{32}")
MAX_NAME_LENGTH = 255  # characters; databases cannot index a longer key
MAX_CURRENCY_LENGTH = 20  # characters

Record = dict[str, Any]
Fields = Mapping[str, Callable[[object], Any]]


class InvalidRecordError(ValueError):
    """A record that is not valid. The message names the field but not its value."""


def number(value: object) -> Decimal | None:
    """Return the exact decimal; None for null and for "", which Twilio sends for a missing one."""
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not NUMBER.fullmatch(value):
        raise ValueError("is not a number")
    return Decimal(value)


def price(value: object) -> Decimal | None:
    """Return the exact price; None for null and for "".

    Raises ValueError as well for a price that no target can store exactly, as DECIMAL(38, 12).
    """
    amount = number(value)
    if amount:
        try:
            amount.quantize(SMALLEST_PRICE, context=EXACT)
        except Inexact:
            raise ValueError("has more than 12 decimals, which no target stores exactly") from None
        if amount.adjusted() >= MAX_PRICE_DIGITS:
            raise ValueError("has more than 26 digits before the point, which no target stores")
    return amount


def day(value: object) -> date:
    """Return the date."""
    if not isinstance(value, str) or not DATE.fullmatch(value):
        raise ValueError("is not a date")
    return date.fromisoformat(value)


def moment(value: object) -> str | None:
    """Return the ISO 8601 date-time as Twilio wrote it; None for null and for ""."""
    if value is None or value == "":
        return None
    match = MOMENT.fullmatch(value) if isinstance(value, str) else None
    if not match:
        raise ValueError("is not a date-time")
    datetime.fromisoformat(match[1] + (match[2] or "Z").replace("Z", "+00:00"))
    return match[0]


def mail_date(value: object) -> datetime:
    """Return the time in UTC of an RFC 2822 date, as in an email header."""
    if not isinstance(value, str) or not MAIL_ZONE.search(value):
        raise ValueError("is not a date-time")
    try:
        time = parsedate_to_datetime(value)  # without a zone if that is -0000
        return (time if time.tzinfo else time.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    except OverflowError:
        raise ValueError("is out of range") from None


def mail_moment(value: object) -> str | None:
    """Return an RFC 2822 date as an ISO 8601 date-time in UTC; None for null and for ""."""
    return None if value is None or value == "" else mail_date(value).isoformat()


def text(value: object) -> str | None:
    """Return the text; None for null."""
    if value is None:
        return None
    if not isinstance(value, str) or INVALID_TEXT.search(value):
        raise ValueError("is not text")
    return value


def currency(value: object) -> str | None:
    """Return the currency as Twilio writes it; None for null. It is short: the log contains it."""
    unit = text(value)
    if unit and not (unit.isprintable() and len(unit) <= MAX_CURRENCY_LENGTH):
        raise ValueError("is not a currency")
    return unit


def name(value: object) -> str:
    """Return a text that must not be missing because it is part of the primary key."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("is missing")
    if INVALID_TEXT.search(value):
        raise ValueError("is not text")
    if len(value) > MAX_NAME_LENGTH:
        raise ValueError("is too long")
    return value


def canonical_sid(sid: str) -> str:
    """Return an account's SID as Twilio writes it, in lower case; any other text as it is."""
    return sid[:2] + sid[2:].lower() if ACCOUNT_SID.fullmatch(sid) else sid


def account_sid(value: object) -> str:
    """Return the SID of the account that a record belongs to."""
    return canonical_sid(name(value))


def nested(value: object) -> dict[str, Any]:
    """Return the JSON object; an empty one for null."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError("is not a JSON object")  # noqa: TRY004
    return value


def parse(raw: object, fields: Fields) -> Record:
    """Return these fields of one of Twilio's records as typed values.

    Raises InvalidRecordError, which says which field is not valid and why.
    """
    if not isinstance(raw, dict):
        raise InvalidRecordError("it is not a JSON object")
    record = {}
    for field, parser in fields.items():
        try:
            record[field] = parser(raw.get(field))
        except ValueError as error:
            why = str(error) if str(error).startswith(("is ", "has ")) else "cannot be read"
            raise InvalidRecordError(f"its {field} {why}") from None
    return record
