"""The FOCUS file: `focus_cost_and_usage` as CSV or Parquet, as FinOps tools read it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from tap_twilio_usage.focus import files
from tap_twilio_usage.focus.columns import KEY, SCHEMA, STREAM
from tap_twilio_usage.focus.delivery import moment, names
from tap_twilio_usage.report.errors import ReportError
from tap_twilio_usage.report.tables import Table, Tables


def write(connection: Connection, tables: Tables, since: date | None, path: Path) -> None:
    """Write the rows since a day to a file whose name ends in .csv or .parquet."""
    try:
        _write(connection, tables, since, path)
    except ValueError as error:
        raise ReportError(f"{error}") from None
    except OSError as error:
        raise ReportError(f"{path} cannot be written: {error.strerror}") from None


def _write(connection: Connection, tables: Tables, since: date | None, path: Path) -> None:
    files.check(path)
    table = tables.loaded(STREAM) or tables.model(STREAM)
    if table is None:
        raise ReportError(
            "no table focus_cost_and_usage; load it with the setting focus, or omit --focus"
        )
    stored = {name: mine for mine, name in names(table.types).items()}
    columns = {name: stored[name] for name in SCHEMA["properties"] if name in stored}
    files.write(path, _rows(connection, table, columns, since), [*columns])


def _rows(
    connection: Connection, table: Table, columns: dict[str, str], since: date | None
) -> Iterator[dict[str, Any]]:
    """Yield the rows by day, category and account."""
    kinds = {name: SCHEMA["properties"][name] for name in columns}
    moments = [name for name, kind in kinds.items() if kind.get("format") == "date-time"]
    rows = table.select(
        *(
            (table.exact if "number" in kinds[name]["type"] else table.text)(mine).label(name)
            for name, mine in columns.items()
        )
    ).subquery("focus")
    query = select(rows).order_by(*(rows.c[name] for name in reversed(KEY)))
    for row in connection.execution_options(yield_per=5_000).execute(query):
        named = dict(zip(columns, row, strict=True))
        named.update({name: moment(named[name]) for name in moments})
        begins = named["ChargePeriodStart"]
        if since is None or begins is None or begins.date() >= since:
            yield named
