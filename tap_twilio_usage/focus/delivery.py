"""Divides FOCUS rows into files by month and account, in the form that a reader takes. Pure.

A reader is any that takes FOCUS, or Cloudability or Vantage, which want folders, versions and
values of their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from itertools import groupby
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from uuid import NAMESPACE_URL, uuid5

from tap_twilio_usage.focus.columns import DEFAULT, KEY, columns_of, schema_of

# The names that 1.4 no longer has, and those that have their values since 1.3.
SUCCESSORS = {"ProviderName": "ServiceProviderName", "PublisherName": "HostProviderName"}
ELSEWHERE = {**SUCCESSORS, "InvoiceDetailId": "x_InvoiceDetailId"}  # in a table without the name
TEXT = {"type": ["string", "null"]}
NEEDED = (*KEY, "BillingPeriodStart", "BilledCost", "ChargeCategory")
OF_ANY_VERSION = {*columns_of("1.3"), *columns_of("1.4")}
OF_THE_MODEL = {"Tags", "x_InvoiceDetailId", "x_Owner", "x_CostCenter", "x_RuleId"}
VANTAGE = {
    "ChargePeriodStart": TEXT,
    "ChargeCategory": TEXT,
    "BilledCost": {"type": ["number"]},
    "BillingCurrency": TEXT,
    "ConsumedQuantity": {"type": ["number", "null"]},
    "ConsumedUnit": TEXT,
    "ResourceId": TEXT,
    "ResourceType": TEXT,
    "RegionId": TEXT,
    "ServiceCategory": TEXT,
    "ServiceName": TEXT,
    "Tags": TEXT,
}
VANTAGE_ROWS = 5_000  # of a file, which may have 10,000 and 2 MB

Row = Mapping[str, Any]


def names(stored: Iterable[str]) -> dict[str, str]:
    """Return the columns of FOCUS by their names in a table.

    These may have another case, or be as dlt writes them: billed_cost for BilledCost. Columns that
    are not of FOCUS, such as those of a Singer target, are left out.
    """
    known = {_plain(each): each for each in OF_ANY_VERSION | OF_THE_MODEL}
    found = {each: known.get(_plain(each), each) for each in stored}
    return {
        each: name for each, name in found.items() if _plain(name) in known or name.startswith("x_")
    }


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


class Part(NamedTuple):
    """The rows of one file."""

    month: date
    account: str
    number: int
    rows: Iterator[Row]


class Form(NamedTuple):
    """The form that a reader of the files takes."""

    version: str
    suffix: str
    described: Mapping[str, Any]
    project: Callable[[Row], Row]
    path: Callable[[Part], PurePosixPath]
    most: int | None = None


class Tally:
    """What the rows that were passed on are, for the manifest."""

    def __init__(self) -> None:
        """Begin without rows."""
        self.cost = Decimal(0)
        self.payers: set[str] = set()
        self.lengths: dict[str, int] = {}
        self.days: dict[date, datetime | None] = {}

    def of(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Pass rows on, and count them."""
        for row in rows:
            self.cost += _cost(row)
            self.payers.add(f"{row.get('BillingAccountId')}")
            day, as_of = _day(row), moment(row.get("x_AsOf"))
            known = self.days.get(day)
            self.days[day] = max(known, as_of) if known and as_of else known or as_of
            for name, value in row.items():
                if isinstance(value, str) and len(value) > self.lengths.get(name, 0):
                    self.lengths[name] = len(value)
            yield row


def parts(rows: Iterable[Row], most: int | None = None) -> Iterator[Part]:
    """Divide rows, which come in this order, by month and account, and after `most` of them.

    The rows of a part have to be used up before the next one.
    """
    for (month, account), own in groupby(rows, lambda row: (_month(row), row["x_AccountSid"])):
        if not re.fullmatch(r"\w+", account or ""):  # it is the name of a file
            raise ValueError(f"x_AccountSid: {account!r} is not an account SID")
        for number, some in groupby(enumerate(own), lambda each: each[0] // most if most else 0):
            yield Part(month, account, number + 1, (row for _, row in some))


def projection(version: str, found: Iterable[str]) -> tuple[dict[str, Any], Callable[[Row], Row]]:
    """Return the columns of a version with their schema, and what makes its row of a loaded one.

    `found` are the columns that are loaded. Those that are nobody's but the table's, such as Tags,
    stay; the columns of other versions go. They are in the order that 1.4 wants: by name, with
    FOCUS's own before the others.
    """
    described = dict(schema_of(version)["properties"])
    taken = {ELSEWHERE.get(name) for name in described} | OF_ANY_VERSION
    described |= {name: TEXT for name in found if name not in taken}
    names = sorted(described, key=lambda name: (name.startswith("x_"), name))
    described = {name: described[name] for name in names}

    def project(row: Row) -> Row:
        return {name: row.get(name, row.get(ELSEWHERE.get(name, name))) for name in names}

    return described, project


def for_vantage(row: Row) -> Row:
    """Return a row of Vantage's template, which has charge categories of its own."""
    cost = _cost(row)
    category = {"Credit": "Credit", "Tax": "Tax"}.get(row["ChargeCategory"], "Usage")
    if row["ChargeCategory"] == "Adjustment" and cost < 0:
        category = "Discount"
    return {
        "ChargePeriodStart": f"{_day(row)}",
        "ChargeCategory": category,
        "BilledCost": cost,
        "BillingCurrency": row.get("BillingCurrency"),
        "ConsumedQuantity": row.get("ConsumedQuantity"),
        "ConsumedUnit": row.get("ConsumedUnit"),
        "ResourceId": row["x_AccountSid"],
        "ResourceType": row["x_Category"],
        "RegionId": row.get("RegionId"),
        "ServiceCategory": row.get("ServiceCategory"),
        "ServiceName": row.get("ServiceName"),
        "Tags": row.get("Tags"),
    }


def form(
    reader: str, found: Iterable[str], written: datetime, *, version: str | None, suffix: str
) -> Form:
    """Return the form that a reader takes, of a table with these columns."""
    if reader == "vantage":
        return Form("1.2", ".csv", VANTAGE, for_vantage, _path_for_vantage, VANTAGE_ROWS)
    if reader == "cloudability":
        version, suffix = version or "1.1", ".parquet"

    def path(part: Part) -> PurePosixPath:
        if reader == "cloudability":
            return folder_for_cloudability(part.month, written) / f"{part.account}{suffix}"
        return PurePosixPath(f"{part.month:%Y-%m}") / f"{part.account}{suffix}"

    version = version or DEFAULT
    described, project = projection(version, found)
    return Form(version, suffix, described, project, path)


def _path_for_vantage(part: Part) -> PurePosixPath:
    """Return where a file goes: Vantage wants another name for each upload."""
    return PurePosixPath(f"twilio-{part.month:%Y-%m}-{part.account}-{part.number}.csv")


def folder_for_cloudability(month: date, written: datetime) -> PurePosixPath:
    """Return the folder of a month's delivery: of several, Cloudability takes the latest."""
    following = (month + timedelta(days=31)).replace(day=1)
    period = f"{month:%Y%m%d}-{following:%Y%m%d}"
    return PurePosixPath("Twilio") / period / f"{int(written.timestamp())}"


def manifests_for_cloudability(
    root: str, version: str, listed: Iterable[Mapping[str, Any]]
) -> Iterator[tuple[PurePosixPath, dict[str, Any]]]:
    """Yield the manifest of each month's delivery, and where it goes."""
    by_folder = groupby(listed, lambda each: PurePosixPath(each["path"]).parent)
    for folder, files in by_folder:
        yield (
            folder / "Twilio-Manifest.json",
            {
                "compression": "GZIP",
                "content_type": "Parquet",
                "focus_version": version,
                "report_id": f"{uuid5(NAMESPACE_URL, f'{root}/{folder}')}",
                "root_dir": root,
                "all_report_keys": [each["path"] for each in files],
            },
        )


def moment(value: Any) -> datetime | None:
    """Return a moment in UTC, as a warehouse returns it; one without a time zone is in UTC."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value.replace("Z", "+00:00"))
    if not isinstance(value, datetime):
        return None
    return value.astimezone(timezone.utc) if value.tzinfo else value.replace(tzinfo=timezone.utc)


def _cost(row: Row) -> Decimal:
    if row["BilledCost"] is None:
        raise ValueError("BilledCost: a row has none")
    return Decimal(str(row["BilledCost"]))


def _day(row: Row) -> date:
    begins = moment(row[KEY[-1]])
    if begins is None:
        raise ValueError(f"{KEY[-1]}: a row has none")
    return begins.date()


def _month(row: Row) -> date:
    return _day(row).replace(day=1)
