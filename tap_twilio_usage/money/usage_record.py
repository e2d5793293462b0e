"""A usage record: from Twilio's JSON to the fields that the tap emits. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timezone
from decimal import Decimal
from email.utils import parsedate_to_datetime
from functools import cache
from operator import attrgetter
from typing import Any

import msgspec

from tap_twilio_usage.money.memoize import remembered
from tap_twilio_usage.twilio.errors import TapError
from tap_twilio_usage.twilio.periods import Window

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
ZERO = Decimal(0)
DERIVABLE = frozenset({"uri", "subresource_uris"})

Record = dict[str, Any]
Fields = Mapping[str, Callable[[object], Any]]
Amounts = tuple[Decimal, Decimal, Decimal]


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


class UsageRecord(msgspec.Struct, gc=False):
    """What one account used of one category in one period, and what it cost.

    First Twilio's fields, then those that the tap adds, as they are emitted.
    """

    account_sid: str
    api_version: str | None
    as_of: str | None
    category: str
    description: str | None
    count: Decimal | None
    count_unit: str | None
    usage: Decimal | None
    usage_unit: str | None
    price: Decimal | None
    price_unit: str | None
    start_date: date
    end_date: date
    service: str | None = None
    billing_kind: str | None = None
    parent_category: str | None = None
    dedup_role: str | None = None
    deduplicated_price: Decimal | None = None
    includes_subaccounts: bool | None = None
    counts_in_total: bool | msgspec.UnsetType | None = msgspec.UNSET


# In the order of UsageRecord.
FIELDS: Fields = {
    "account_sid": name,
    "api_version": text,
    "as_of": moment,
    "category": name,
    "description": text,
    "count": number,
    "count_unit": text,
    "usage": number,
    "usage_unit": text,
    "price": number,
    "price_unit": currency,
    "start_date": day,
    "end_date": day,
}


def _not_read(_: object) -> None:
    """Give None."""


# Of a record that stands for no period, and is not emitted.
UNDATED: Fields = {**FIELDS, **dict.fromkeys(("as_of", "start_date", "end_date"), _not_read)}

Documented = msgspec.defstruct(
    "Documented",
    [
        *((field, str | None, None) for field in FIELDS),
        *((field, msgspec.Raw, msgspec.Raw()) for field in sorted(DERIVABLE)),
    ],
    forbid_unknown_fields=True,
    gc=False,
)
# A page of records as Twilio sends them: read in a third of the time that any JSON takes, for
# what is left out is most of it. All else is for whoever can say what is wrong, or new, about it.
PAGE = msgspec.json.Decoder(
    msgspec.defstruct(
        "Page",
        [("usage_records", list[Documented]), ("next_page_uri", str | None)],  # type: ignore[valid-type]
    )
)


def read(page: list[Any], fields: Fields) -> list[UsageRecord]:
    """Give a page of records as Twilio documents them, typed.

    Raises AttributeError or ValueError where one of them is not: `read_one` says what is wrong.
    """
    # Column by column: no line of Python runs for each value.
    columns = [
        map(_known(reader), map(attrgetter(field), page)) for field, reader in fields.items()
    ]
    return list(map(UsageRecord, *columns))


_known = cache(remembered)  # one for all columns that a reader reads


def read_one(raw: object, fields: Fields) -> UsageRecord:
    """Give a record. Raises TapError as `parse` does."""
    if isinstance(raw, Documented):
        raw = msgspec.structs.asdict(raw)
    return UsageRecord(**parse(raw, fields))


def parse(raw: object, fields: Fields) -> Record:
    """Give these fields of one of Twilio's records, typed.

    Raises TapError that names the field and what is wrong with it, never the record.
    """
    if not isinstance(raw, dict):
        raise TapError("it is no JSON object")
    record = {}
    for field, reader in fields.items():
        try:
            record[field] = reader(raw.get(field))
        except ValueError as error:
            why = str(error) if str(error).startswith("is ") else "cannot be read"
            raise TapError(f"its {field} {why}") from None
    return record


def is_zero(record: UsageRecord) -> bool:
    """Tell whether count, usage and price are all zero or null."""
    return not (record.price or record.usage or record.count)


def amounts(record: UsageRecord) -> Amounts:
    """Give count, usage and price, 0 where they are null."""
    return record.count or ZERO, record.usage or ZERO, record.price or ZERO


def zero(account_sid: str, category: str, window: Window, price_unit: str | None) -> UsageRecord:
    """Give the record of a category in which nothing was used."""
    return UsageRecord(
        account_sid=account_sid,
        api_version=None,
        as_of=None,
        category=category,
        description=None,
        count=ZERO,
        count_unit=None,
        usage=ZERO,
        usage_unit=None,
        price=ZERO,
        price_unit=price_unit,
        start_date=window.start,
        end_date=window.end,
    )


def unknown_fields(raw: Any) -> set[str]:
    """Give the names of fields that the tap does not load, but for those it can do without."""
    return raw.keys() - FIELDS.keys() - DERIVABLE if isinstance(raw, dict) else set()


Periods = dict[date, list[UsageRecord]]
