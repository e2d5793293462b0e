"""Writes FOCUS rows to a file: CSV, or Parquet by way of DuckDB. Money stays an exact decimal."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from tap_twilio_usage.focus.columns import SCHEMA

SUFFIXES = (".csv", ".parquet")
DIGITS_AFTER_THE_POINT = 12  # of a number in Parquet
TYPES = {
    "number": f"DECIMAL(38, {DIGITS_AFTER_THE_POINT})",
    "date-time": "TIMESTAMPTZ",
    "string": "VARCHAR",
}

Row = Mapping[str, Any]
Compression = Literal["snappy", "gzip"]  # of Parquet


def write(
    path: Path,
    rows: Iterable[Row],
    columns: Sequence[str],
    described: Mapping[str, Any] = SCHEMA["properties"],
    compression: Compression = "snappy",
) -> int:
    """Write the columns of the rows, and return the number of rows.

    The name of the file says whether it is CSV or Parquet. An existing file is replaced at the end,
    so that a failure leaves it as it was. Raise ValueError for another kind of file, and for a
    number that Parquet cannot hold.
    """
    check(path)
    with TemporaryDirectory(dir=path.parent) as folder:
        text = Path(folder) / "rows.csv"
        with text.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            number = 0
            scale = DIGITS_AFTER_THE_POINT if path.suffix == ".parquet" else None
            for row in rows:
                writer.writerow([_text(row[name], name, described, scale) for name in columns])
                number += 1
        done = text if path.suffix == ".csv" else _parquet(text, columns, described, compression)
        os.replace(done, path)  # noqa: PTH105
    return number


def check(path: Path) -> None:
    """Raise ValueError if the name of a file says that it is of another kind."""
    if path.suffix not in SUFFIXES:
        raise ValueError(f"{path.name}: the name has to end in {' or '.join(SUFFIXES)}")


def type_of(described: Mapping[str, Any]) -> str:
    """Return DuckDB's type for a column's schema."""
    return TYPES[described.get("format", described["type"][0])]


def _text(value: Any, name: str, described: Mapping[str, Any], scale: int | None) -> str | None:
    """Return a value as FOCUS writes it; an empty field is null."""
    if value is None:
        return None
    kind = described[name].get("format", described[name]["type"][0])
    if kind == "number":
        number = Decimal(str(value))
        written = f"{number.normalize():f}" if number else "0"
        if scale is not None and len(written.partition(".")[2]) > scale:
            raise ValueError(f"{name}: {written} has more than {scale} digits after the point")
        return written
    if isinstance(value, datetime):
        moment = value.astimezone(timezone.utc) if value.tzinfo else value
        return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
    return str(value)


def _parquet(
    text: Path, columns: Sequence[str], described: Mapping[str, Any], compression: Compression
) -> Path:
    import duckdb  # noqa: PLC0415  (of the extra `report`)

    done = text.with_suffix(".parquet")
    types = {name: type_of(described[name]) for name in columns}
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.read_csv(
            f"{text}", header=True, auto_detect=False, columns=types, na_values=[""]
        ).write_parquet(f"{done}", compression=compression)
    return done
