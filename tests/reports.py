"""Rows for the report: as the figures take them, and as a warehouse stores them."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from decimal import Context, Decimal, localcontext
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import psycopg
import pytest

from tap_twilio_usage.report.__main__ import main
from tap_twilio_usage.report.figures.section import Section, sections
from tap_twilio_usage.report.figures.sums import Account, AccountDay, Month

MAIN = "AC" + "1" * 32
SERVICES = ("SMS & MMS", "Voice", "Lookup", "Video", "Verify", "Sync", "Studio", "RCS", "Flex")
EXACT = Context(prec=1000)


class Row(NamedTuple):
    """A row of `usage_records_daily`: the columns that the report reads."""

    account: str
    rolled_up: bool | None
    unit: str
    day: date
    category: str
    service: str
    price: Decimal | None
    deduplicated: Decimal | None
    kind: str = "usage"
    usage: Decimal | None = None
    as_of: datetime | None = None

    @property
    def is_total(self) -> bool:
        return self.category.strip().lower() == "totalprice"


def charge(
    day: date | str, category: str, price: str, deduplicated: str | None = None, **more: Any
) -> Row:
    day = date.fromisoformat(day) if isinstance(day, str) else day
    counted = Decimal(price if deduplicated is None else deduplicated)
    is_total = category.strip().lower() == "totalprice"
    if "as_of" not in more:  # the morning after
        more["as_of"] = datetime(day.year, day.month, day.day, 6, tzinfo=timezone.utc) + timedelta(
            1
        )
    values: dict[str, Any] = {"account": MAIN, "rolled_up": True, "unit": "USD", "service": "Voice"}
    if is_total:
        more["service"] = "Unattributed"
    return Row(
        day=day, category=category, price=Decimal(price), deduplicated=counted, **(values | more)
    )


def a_day(day: date | str, *prices: str, **more: Any) -> list[Row]:
    """Return a day that reconciles: a category for each service, their roll-up, and a remainder."""
    whole = sum(map(Decimal, prices))
    return [
        *(
            charge(day, f"{name.lower()}-outbound", price, service=name, **more)
            for name, price in zip(SERVICES, prices, strict=False)
        ),
        charge(day, "a-rollup", f"{whole}", "0", **more),
        charge(day, "totalprice", f"{whole + Decimal('0.000001')}", "0.000001", **more),
    ]


def days(first: str, last: str) -> list[date]:
    start, end = date.fromisoformat(first), date.fromisoformat(last)
    return [start + timedelta(days=n) for n in range((end - start).days + 1)]


def account_days(rows: list[Row]) -> list[AccountDay]:
    """Return what the warehouse would add up."""

    def key(row: Row) -> tuple[str, str, str, date]:
        return row.account, f"{row.rolled_up}", row.unit, row.day

    found = []
    for _, same in groupby(sorted(rows, key=key), key):
        its = [*same]
        totals = [row for row in its if row.is_total]
        prices = [row.price for row in totals if row.price is not None]
        found.append(
            AccountDay(
                *its[0][:4],
                naive=sum((row.price or Decimal(0) for row in its if not row.is_total), Decimal(0)),
                deduplicated=sum((row.deduplicated or Decimal(0) for row in its), Decimal(0)),
                total=sum(prices, Decimal(0)) if prices else None,
                remainder=sum((row.deduplicated or Decimal(0) for row in totals), Decimal(0)),
                used=any(row.price or row.deduplicated for row in its),
                as_of=max((row.as_of for row in its if row.as_of), default=None),
            )
        )
    return found


def summed(
    rows: list[Row],
    months: list[Month] | None = None,
    since: date | None = None,
    accounts: list[Account] | None = None,
) -> list[Section]:
    with localcontext(EXACT):
        return sections(account_days(rows), months or [], accounts or [], since)


def only(rows: list[Row], **more: Any) -> Section:
    (section,) = summed(rows, **more)
    return section


def own_month(  # noqa: PLR0913
    first: str,
    days_expected: int,
    total: str | None,
    *,
    account: str = MAIN,
    rolled_up: bool | None = True,
    unit: str = "USD",
    as_of: str | None = None,
) -> Month:
    price = None if total is None else Decimal(total)
    day = date.fromisoformat(as_of) if as_of else None
    return Month(account, rolled_up, unit, date.fromisoformat(first), days_expected, price, day)


def dollars(first: str, last: str, *accounts: str, without: str = "") -> list[Row]:
    """Return a dollar for each day and account; `without` is a month, or a day."""
    return [
        charge(day, "totalprice", "1", account=account)
        for day in days(first, last)
        if not (without and f"{day}".startswith(without))
        for account in accounts or (MAIN,)
    ]


COLUMNS = (
    "account_sid {text}, includes_subaccounts boolean, price_unit {text}, start_date {date}, "
    "category {text}, service {text}, price {number}, deduplicated_price {number}, "
    "billing_kind {text}, usage {number}, as_of {time}"
)
IN_POSTGRES = COLUMNS.format(text="text", date="date", number="numeric", time="timestamptz")
IN_DUCKDB = COLUMNS.format(text="varchar", date="varchar", number="double", time="varchar")
NAMES = (
    "account_sid varchar, friendly_name varchar, status varchar, date_created timestamptz, "
    "date_updated timestamptz"
)
MONTHS = (
    "account_sid varchar, includes_subaccounts boolean, price_unit varchar, start_date date, "
    "days_expected integer, monthly_total decimal(38, 12), as_of timestamptz"
)


def literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, (bool, int)):
        return f"{value}"
    if isinstance(value, Decimal):
        value = f"{value:f}"
    return f"'{str(value).replace(chr(39), chr(39) * 2)}'"


def insert(table: str, rows: list[tuple[Any, ...]]) -> str:
    """Return the statement that inserts rows: of parameters, DuckDB takes a thousandth as many."""
    lines = ", ".join(f"({', '.join(map(literal, row))})" for row in rows)
    return f"INSERT INTO {table} VALUES {lines}" if rows else "SELECT 1"


def as_stored(row: Row) -> tuple[Any, ...]:
    return (row.account, row.rolled_up, row.unit.lower(), f"{row.day}", *row[4:])


def duckdb_of(
    rows: list[Row],
    path: Path,
    schema: str = "main",
    *,
    months: list[Month] | None = None,
    accounts: list[Account] | None = None,
) -> str:
    """Return the URL of a file as target-duckdb writes it: DOUBLEs, and dates as text."""
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        connection.execute(f"CREATE TABLE {schema}.usage_records_daily ({IN_DUCKDB})")
        connection.execute(insert(f"{schema}.usage_records_daily", [*map(as_stored, rows)]))
        if months is not None:
            connection.execute(f"CREATE TABLE {schema}.usage_reconciliation ({MONTHS})")
            connection.execute(insert(f"{schema}.usage_reconciliation", [*map(tuple, months)]))
        if accounts is not None:
            connection.execute(f"CREATE TABLE {schema}.accounts ({NAMES})")
            connection.execute(insert(f"{schema}.accounts", [*map(tuple, accounts)]))
    return f"duckdb:///{path}"


def postgres_of(rows: list[Row], uri: str, months: list[Month] | None = None) -> str:
    """Return the URI of a database as target-postgres writes it."""
    with psycopg.connect(uri) as connection:
        connection.execute("CREATE SCHEMA tap_twilio_usage")
        table = "tap_twilio_usage.usage_records_daily"
        connection.execute(f"CREATE TABLE {table} ({IN_POSTGRES})")
        connection.execute(insert(table, [*map(as_stored, rows)]))
        if months is not None:
            table = "tap_twilio_usage.usage_reconciliation"
            connection.execute(f"CREATE TABLE {table} ({MONTHS})")
            connection.execute(insert(table, [*map(tuple, months)]))
    return uri


def written(url: str, folder: Path, *options: str) -> str:
    main(["--url", url, "--output", str(folder / "report.html"), *options])
    return (folder / "report.html").read_text()


def failure(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the one line that the command prints when it fails."""
    with pytest.raises(SystemExit) as exited:
        main(arguments)
    said = str(exited.value.code)
    out, err = capsys.readouterr()
    assert out == ""
    assert all(line.startswith("report: reading ") for line in err.splitlines())
    assert "\n" not in said
    return said
