"""The FOCUS file: `focus_cost_and_usage` as CSV or Parquet, as FinOps tools read it."""

from __future__ import annotations

import csv
import tempfile
from datetime import date, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
from sqlalchemy import Connection, select

from tap_twilio_usage.focus.columns import KEY, SCHEMA, STREAM
from tap_twilio_usage.report.errors import ReportError
from tap_twilio_usage.report.tables import Table, Tables
from tap_twilio_usage.report.values import exact, time

PARQUET = {"number": "DECIMAL(38, 12)", "string": "VARCHAR"}


def write(connection: Connection, tables: Tables, since: date | None, path: Path) -> None:
    """Write the rows since a day to a file whose name ends in .csv or .parquet."""
    kind = path.suffix.lower()
    if kind not in {".csv", ".parquet"}:
        raise ReportError(f"{path} is neither .csv nor .parquet")
    table = tables.loaded(STREAM) or tables.model(STREAM)
    if table is None:
        raise ReportError(
            "no table focus_cost_and_usage; load it with the setting focus, or omit --focus"
        )
    if kind == ".csv":
        _write_csv(connection, table, since, path)
        return
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "focus.csv"
        _write_csv(connection, table, since, rows)
        columns = {name: _type(described) for name, described in SCHEMA["properties"].items()}
        with duckdb.connect(config={"memory_limit": "200MB"}) as memory:
            found = memory.read_csv(
                f"{rows}", header=True, columns=columns, timestamp_format="%Y-%m-%dT%H:%M:%SZ"
            )
            found.write_parquet(f"{path}")


def _write_csv(connection: Connection, table: Table, since: date | None, path: Path) -> None:
    # dlt writes billed_cost for BilledCost.
    stored = {name.replace("_", "").lower(): name for name in table.types}
    names = {name: stored.get(name.replace("_", "").lower()) for name in SCHEMA["properties"]}
    kinds = {name: _type(described) for name, described in SCHEMA["properties"].items()}
    columns = [
        (table.exact if kinds[name] == PARQUET["number"] else table.text)(mine or name).label(name)
        for name, mine in names.items()
    ]
    rows = table.select(*columns).subquery("focus")
    query = select(rows).order_by(*(rows.c[name] for name in reversed(KEY)))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        found = connection.execution_options(yield_per=5_000).execute(query)
        at = [*names].index("ChargePeriodStart")
        for row in found:
            if since is None or (start := time(row[at])) is None or start.date() >= since:
                writer.writerow(map(_plain, row, kinds.values()))


def _type(described: dict[str, Any]) -> str:
    if described.get("format") == "date-time":
        return "TIMESTAMPTZ"
    return PARQUET["number" if "number" in described["type"] else "string"]


def _plain(value: Any, kind: str) -> Any:
    if value is None:
        return ""
    if kind == "TIMESTAMPTZ":
        found = time(value)
        return found.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ") if found else ""
    if kind == PARQUET["number"]:
        number = exact(value) or Decimal(0)
        text = f"{number:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return value
