"""`python -m benchmarks.ready URL FOLDER` loads rows that are ready in FOLDER: the floor of a load.

PostgreSQL copies rows.csv into a temporary table and upserts from there; DuckDB reads rows.parquet.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb
import psycopg
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from benchmarks.destinations import SCHEMA, TABLE
from tap_twilio_usage.dlt.arrow import Table
from tap_twilio_usage.streams.usage_records import SCHEMA as COLUMNS

KEY = ("account_sid", "category", "start_date")
TYPES = {"bool": "boolean", "date32[day]": "date", "timestamp[us, tz=UTC]": "timestamptz"}


def write(messages: Path, folder: Path) -> None:
    """Write the RECORD messages of the stream, which are in a file, as CSV and Parquet."""
    with messages.open("rb") as lines:
        records = b"".join(line for line in lines if line.startswith(b'{"type":"RECORD"'))
    table = Table("usage_records_daily", COLUMNS, KEY).parse(records)
    pa.parquet.write_table(table, folder / "rows.parquet")
    pa.csv.write_csv(table, folder / "rows.csv")


def main(url: str, folder: Path) -> None:
    """Load the rows into a new table."""
    parquet = folder / "rows.parquet"
    if url.startswith("duckdb:"):
        with duckdb.connect(url.removeprefix("duckdb:///")) as connection:
            connection.execute(f"CREATE SCHEMA {SCHEMA}")
            connection.execute(f"CREATE TABLE {TABLE} AS FROM read_parquet('{parquet}')")
        return
    fields = pa.parquet.read_schema(parquet)
    columns = ", ".join(f"{field.name} {_type(field.type)}" for field in fields)
    with psycopg.connect(url) as postgres:
        postgres.execute(f"CREATE SCHEMA {SCHEMA}")
        postgres.execute(f"CREATE TABLE {TABLE} ({columns}, PRIMARY KEY ({', '.join(KEY)}))")
        postgres.execute(f"CREATE TEMP TABLE ready ({columns})")
        copy = "COPY ready FROM STDIN (FORMAT csv, HEADER)"
        with postgres.cursor().copy(copy) as to, (folder / "rows.csv").open("rb") as rows:
            while block := rows.read(1_000_000):
                to.write(block)
        names = ", ".join(f"{name} = excluded.{name}" for name in fields.names if name not in KEY)
        postgres.execute(
            f"INSERT INTO {TABLE} SELECT * FROM ready "  # noqa: S608
            f"ON CONFLICT ({', '.join(KEY)}) DO UPDATE SET {names}"
        )


def _type(kind: pa.DataType) -> str:
    return "numeric(38, 12)" if pa.types.is_decimal(kind) else TYPES.get(f"{kind}", "text")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
