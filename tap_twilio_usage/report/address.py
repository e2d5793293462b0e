"""Where the warehouse is: its URL, given as text or made from the target's settings. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from tap_twilio_usage.logs.redaction import in_urls
from tap_twilio_usage.report.errors import ReportError

GIVEN = "TAP_TWILIO_USAGE_REPORT_URL"
DRIVERS = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg"}
BRANDS = {"postgresql": "PostgreSQL", "duckdb": "DuckDB", "bigquery": "BigQuery"}
INVALID_CODE = re.compile("%(?![0-9A-Fa-f]{2})")
SECRET = re.compile("password|passwd|token|secret|key|credential", re.IGNORECASE)


def address(given: str | None, settings: Mapping[str, str]) -> URL:
    """Return the URL of the warehouse; raise `ReportError` if nothing names one.

    `settings` is the environment: the URL, or else what target-postgres or target-duckdb takes.
    """
    text = given or settings.get(GIVEN)
    if text:
        return _parsed(text)
    if database := settings.get("TARGET_POSTGRES_DATABASE"):
        return URL.create(
            DRIVERS["postgresql"],
            username=settings.get("TARGET_POSTGRES_USER") or None,
            password=settings.get("TARGET_POSTGRES_PASSWORD") or None,
            host=settings.get("TARGET_POSTGRES_HOST") or "localhost",
            port=_port(settings.get("TARGET_POSTGRES_PORT") or "5432"),
            database=database,
        )
    if path := settings.get("TARGET_DUCKDB_PATH"):
        return URL.create("duckdb", database=path)
    raise ReportError(
        "no warehouse is given; use --url, or set TARGET_POSTGRES_DATABASE or TARGET_DUCKDB_PATH"
    )


def _port(text: str) -> int:
    if not text.isdecimal():
        raise ReportError(f"TARGET_POSTGRES_PORT is {text!r}, which is not a number")
    return int(text)


def _parsed(text: str) -> URL:
    if text.count("@") > 1:
        raise ReportError(
            "the URL contains more than one @; write an @ in the password as %40, or remove the "
            "URL and set TARGET_POSTGRES_PASSWORD"
        )
    if INVALID_CODE.search(text.partition("://")[2].rpartition("@")[0]):
        raise ReportError(
            "the URL contains a % that does not begin a code such as %40; write a % in the "
            "password as %25, or remove the URL and set TARGET_POSTGRES_PASSWORD"
        )
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ReportError(
            "the URL is not valid; use one such as postgresql://USER:PASSWORD@HOST/DATABASE or "
            "duckdb:///FILE"
        ) from None
    return url.set(drivername=DRIVERS.get(url.drivername, url.drivername))


def place(url: URL) -> str:
    """Return the kind, host and database of a warehouse, without anything secret."""
    backend = url.get_backend_name()
    brand = BRANDS.get(backend, backend.capitalize())
    database = (url.database or "").replace("\\", "/")
    if backend == "duckdb":
        return f"{brand} file {database.rpartition('/')[2]}".strip()
    return " ".join(filter(None, [brand, "/".join(filter(None, [url.host, database]))]))


def secrets(url: URL) -> Iterator[str]:
    """Yield every spelling of what must not be shown."""
    values = [url.password or ""]
    for name, value in url.query.items():
        if SECRET.search(name):
            values += [value] if isinstance(value, str) else value
    for value in values:
        yield from filter(None, {value, *in_urls(value)})
