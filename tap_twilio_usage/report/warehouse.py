"""Read the loaded tables from any database that SQLAlchemy supports."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from urllib.parse import quote, quote_plus

from sqlalchemy import (
    Connection,
    Date,
    Select,
    TableClause,
    cast,
    column,
    create_engine,
    func,
    inspect,
    or_,
    select,
    table,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import NullPool

from tap_twilio_usage.money.hierarchy import TOTAL
from tap_twilio_usage.report.errors import ReportError
from tap_twilio_usage.report.figures import Charge, Month

TABLE = "usage_records_daily"
MONTHS = "usage_reconciliation"
MONTHS_COLUMNS = (
    *("account_sid", "includes_subaccounts", "price_unit", "start_date"),
    *("days_expected", "monthly_total", "as_of"),
)
SCHEMA = "tap_twilio_usage"  # of the targets in meltano.yml
MONTHS_BACK = 6  # as the tap's default start_date
COLUMNS = (
    *("account_sid", "includes_subaccounts", "price_unit", "start_date", "category", "service"),
    *("price", "deduplicated_price"),
)
DRIVERS = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg"}
INVALID_CODE = re.compile("%(?![0-9A-Fa-f]{2})")
SECRET = re.compile("password|passwd|token|secret|key|credential", re.IGNORECASE)


@contextmanager
def loaded(
    url: str, schema: str | None, since: date | None
) -> Iterator[tuple[Iterator[Charge], list[Month]]]:
    """Return the charges since a day (default: the first of the month, six months before the last).

    With them, Twilio's own records of these months, if the warehouse has the table.

    Raises `ReportError`, without the URL's secrets, for any failure, also in the body; and
    `ModuleNotFoundError` if a driver is not installed.
    """
    with connected(url) as connection:
        found = _table(connection, schema)
        first = since or _default_start(connection, found)
        months = _months(connection, found.schema, first)
        rows = connection.execution_options(yield_per=10_000).execute(_query(found, first))
        yield (_charge(row) for row in rows), months


@contextmanager
def connected(url: str, *, writes: bool = False) -> Iterator[Connection]:
    """Return a connection to the warehouse; raise as `loaded` does, also in the body."""
    address = _parsed(url)
    try:
        arguments = {} if writes else _connect_args(address)
        engine = create_engine(address, poolclass=NullPool, connect_args=arguments)
        with engine.connect() as connection:
            yield connection
    except (ReportError, ModuleNotFoundError):
        raise
    except Exception as error:  # noqa: BLE001  (a driver raises what it likes)
        raise ReportError(_line(error, address)) from None


def _parsed(text: str) -> URL:
    if text.count("@") > 1:
        raise ReportError("the URL contains more than one @; write an @ in the password as %40")
    if INVALID_CODE.search(text.partition("://")[2].rpartition("@")[0]):
        raise ReportError(
            "the URL contains a % that does not begin a code such as %40; write a % in the "
            "password as %25"
        )
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ReportError(
            "the URL is not valid; use one such as postgresql://USER:PASSWORD@HOST/DATABASE or "
            "duckdb:///FILE"
        ) from None
    return url.set(drivername=DRIVERS.get(url.drivername, url.drivername))


def _connect_args(url: URL) -> dict[str, Any]:
    # Otherwise DuckDB creates a missing file, and locks an existing one.
    return {"read_only": True} if url.get_backend_name() == "duckdb" else {}


def _table(connection: Connection, schema: str | None) -> TableClause:
    inspector = inspect(connection)
    for name in [schema] if schema else [SCHEMA, None]:
        if inspector.has_table(TABLE, schema=name):
            return table(TABLE, *(column(each) for each in COLUMNS), schema=name)
    where = f"schema {schema}" if schema else f"schema {SCHEMA} or in the default schema"
    raise ReportError(f"no table {TABLE} in {where}; load it first, or use --schema")


def _months(connection: Connection, schema: str | None, since: date) -> list[Month]:
    """Return Twilio's own records of the months since a day; none without the table."""
    if not inspect(connection).has_table(MONTHS, schema=schema):
        return []
    found = table(MONTHS, *(column(each) for each in MONTHS_COLUMNS), schema=schema)
    first = cast(found.c.start_date, Date)
    columns = [first if each.name == "start_date" else each for each in found.c]
    query = select(*columns).where(first >= since.replace(day=1))
    return [
        Month(
            account=_account(sid),
            rolled_up=_flag(rolled_up),
            unit=_unit(unit),
            first=day,
            days_expected=days or 0,
            total=_exact(total),
            as_of=_day_of(as_of),
        )
        for sid, rolled_up, unit, day, days, total, as_of in connection.execute(query)
    ]


def _default_start(connection: Connection, found: TableClause) -> date:
    last = connection.execute(select(func.max(cast(found.c.start_date, Date)))).scalar()
    if last is None:
        raise ReportError(f"{found.fullname} is empty; load it first")
    month: date = last.replace(day=1)
    for _ in range(MONTHS_BACK):
        month = (month - timedelta(days=1)).replace(day=1)
    return month


def _query(found: TableClause, since: date) -> Select[Any]:
    day = cast(found.c.start_date, Date)  # target-duckdb stores dates as text
    columns = [day if each.name == "start_date" else each for each in found.c]
    matters = or_(
        found.c.price != 0,
        found.c.deduplicated_price != 0,
        func.lower(func.trim(found.c.category)) == TOTAL,
    )
    return select(*columns).where(day >= since, matters)


def _charge(row: Any) -> Charge:
    account, rolled_up, unit, day, category, service, price, deduplicated = row
    return Charge(
        account=_account(account),
        rolled_up=_flag(rolled_up),
        unit=_unit(unit),
        day=day,
        category=category,
        service=service or "Other",
        price=_exact(price),
        deduplicated=_exact(deduplicated),
    )


def _account(sid: str | None) -> str:
    return sid or "no account"


def _flag(value: Any) -> bool | None:
    return None if value is None else bool(value)


def _unit(unit: str | None) -> str:
    return unit.strip().upper() if unit else "no currency"


def _day_of(time: Any) -> date | None:
    """Return the day, in GMT, of a time, which target-duckdb stores as text."""
    if isinstance(time, str):
        return date.fromisoformat(time[:10])
    if isinstance(time, datetime):
        return (time.astimezone(timezone.utc) if time.tzinfo else time).date()
    return None


def _exact(value: Any) -> Decimal | None:
    """Return a number as it was written; for a DOUBLE, its text is exact up to 15 digits."""
    return None if value is None else Decimal(str(value))


def _line(error: Exception, url: URL) -> str:
    if isinstance(error, NoSuchModuleError):
        return f"no SQLAlchemy dialect {url.drivername} is installed; install its package"
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    said = " ".join(str(cause).split()) or type(cause).__name__
    for secret in _secrets(url):
        said = said.replace(secret, "***")
    return f"{url.render_as_string(hide_password=True).partition('?')[0]}: {said}"


def _secrets(url: URL) -> Iterator[str]:
    values = [url.password or ""]
    for name, value in url.query.items():
        if SECRET.search(name):
            values += [value] if isinstance(value, str) else value
    for value in values:
        yield from filter(None, {value, quote(value, safe=""), quote_plus(value)})
