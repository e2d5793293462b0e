"""A usage record: from Twilio's JSON to the fields that the tap emits. Pure."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import cache
from operator import attrgetter
from typing import Any

import msgspec

from tap_twilio_usage.money.amounts import ZERO
from tap_twilio_usage.money.memoize import memoize
from tap_twilio_usage.money.parsers import Fields, currency, day, moment, name, number, parse, text

DERIVABLE = frozenset({"uri", "subresource_uris"})

Amounts = tuple[Decimal, Decimal, Decimal]


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


_known = cache(memoize)  # one for all columns that a reader reads


def read_one(raw: object, fields: Fields) -> UsageRecord:
    """Give a record. Raises InvalidRecordError as `parse` does."""
    if isinstance(raw, Documented):
        raw = msgspec.structs.asdict(raw)
    return UsageRecord(**parse(raw, fields))


def is_zero(record: UsageRecord) -> bool:
    """Tell whether count, usage and price are all zero or null."""
    return not (record.price or record.usage or record.count)


def amounts(record: UsageRecord) -> Amounts:
    """Give count, usage and price, 0 where they are null."""
    return record.count or ZERO, record.usage or ZERO, record.price or ZERO


def zero(
    account_sid: str, category: str, start_date: date, end_date: date, price_unit: str | None
) -> UsageRecord:
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
        start_date=start_date,
        end_date=end_date,
    )


def unknown_fields(raw: Any) -> set[str]:
    """Give the names of fields that the tap does not load, but for those it can do without."""
    return raw.keys() - FIELDS.keys() - DERIVABLE if isinstance(raw, dict) else set()


Periods = dict[date, list[UsageRecord]]
