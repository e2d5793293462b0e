"""Usage records: Twilio's JSON, parsed into the fields that the tap emits. Pure."""

from __future__ import annotations

from datetime import date
from decimal import Decimal, localcontext
from functools import cache
from operator import attrgetter
from typing import Any

import msgspec

from tap_twilio_usage.money.amounts import EXACT, ZERO
from tap_twilio_usage.money.memoize import memoize
from tap_twilio_usage.money.parsers import (
    Fields,
    account_sid,
    currency,
    day,
    moment,
    name,
    number,
    parse,
    price,
    text,
)

# Fields of Twilio's that the tap does not load, because they follow from the others.
DERIVABLE = frozenset({"uri", "subresource_uris"})

Amounts = tuple[Decimal, Decimal, Decimal]


class UsageRecord(msgspec.Struct, gc=False):
    """The usage and the price of one category, for one account and one period.

    The fields are in the order in which they are emitted: Twilio's, then those that the tap adds.
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


# In the order of the fields of UsageRecord.
FIELDS: Fields = {
    "account_sid": account_sid,
    "api_version": text,
    "as_of": moment,
    "category": name,
    "description": text,
    "count": number,
    "count_unit": text,
    "usage": number,
    "usage_unit": text,
    "price": price,
    "price_unit": currency,
    "start_date": day,
    "end_date": day,
}


def _ignore(_: object) -> None:
    """Return None."""


# For records that are not emitted and whose dates do not matter.
UNDATED: Fields = {**FIELDS, **dict.fromkeys(("as_of", "start_date", "end_date"), _ignore)}

Documented = msgspec.defstruct(
    "Documented",
    [
        *((field, str | None, None) for field in FIELDS),
        *((field, msgspec.Raw, msgspec.Raw()) for field in sorted(DERIVABLE)),
    ],
    forbid_unknown_fields=True,
    gc=False,
)
# Decodes a page in the documented form in a third of the time of a general JSON decoder, because it
# skips most of the text. It rejects any other page; the caller then decodes that page as general
# JSON and reports what is invalid or new.
PAGE = msgspec.json.Decoder(
    msgspec.defstruct(
        "Page",
        [("usage_records", list[Documented]), ("next_page_uri", str | None)],  # type: ignore[valid-type]
    )
)


def read(page: list[Any], fields: Fields) -> list[UsageRecord]:
    """Return the records of a page.

    Raises AttributeError or ValueError if a record is not in the documented form; `read_one` then
    says what is wrong.
    """
    # Column by column, so that no Python code runs for each value.
    columns = [
        map(_memoized(parser), map(attrgetter(field), page)) for field, parser in fields.items()
    ]
    return list(map(UsageRecord, *columns))


_memoized = cache(memoize)  # one cache for each parser, shared by its columns


def read_one(raw: object, fields: Fields) -> UsageRecord:
    """Return the record. Raises InvalidRecordError, which says which field is not valid and why."""
    if isinstance(raw, Documented):
        raw = msgspec.structs.asdict(raw)
    return UsageRecord(**parse(raw, fields))


def is_zero(record: UsageRecord) -> bool:
    """Return whether count, usage and price are all zero or null."""
    return not (record.price or record.usage or record.count)


def amounts(record: UsageRecord) -> Amounts:
    """Return count, usage and price, with 0 in place of null."""
    return record.count or ZERO, record.usage or ZERO, record.price or ZERO


def zero(
    account_sid: str, category: str, start_date: date, end_date: date, price_unit: str | None
) -> UsageRecord:
    """Return a record of a category without usage: all amounts are 0."""
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
        start_date=start_date,
        end_date=end_date,
    )


def unknown_fields(raw: Any) -> set[str]:
    """Return the names of the fields that are new to this version of the tap."""
    return raw.keys() - FIELDS.keys() - DERIVABLE if isinstance(raw, dict) else set()


Periods = dict[date, list[UsageRecord]]
Totals = dict[date, UsageRecord]


def price_on(totals: Totals, day: date) -> Decimal:
    """Return the price of the period that begins on the day; 0 if there is none."""
    return (totals[day].price or ZERO) if day in totals else ZERO


def spend(totals: Totals) -> Decimal:
    """Return the exact sum of the prices."""
    with localcontext(EXACT):
        return sum((each.price or ZERO for each in totals.values()), ZERO)
