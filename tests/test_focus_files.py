"""Files of FOCUS rows: what they hold, and how they are delivered."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tap_twilio_usage.focus.files import write

COLUMNS = ("BilledCost", "BillingAccountName", "ChargePeriodStart", "InvoiceId", "x_Count")
ROWS: list[dict[str, Any]] = [
    {
        "BilledCost": Decimal("1.500000000001"),
        "BillingAccountName": 'Ltd., "ACME"\nGmbH ü',
        "ChargePeriodStart": "2025-09-01T00:00:00Z",
        "InvoiceId": None,
        "x_Count": None,
        "not_written": 1,
    },
    {
        "BilledCost": Decimal("1E+3"),
        "BillingAccountName": "B",
        "ChargePeriodStart": datetime(2025, 9, 2, 2, tzinfo=timezone(timedelta(hours=2))),
        "InvoiceId": None,
        "x_Count": 0.1,  # as a target that stores floating point returns it
    },
]


def test_a_csv_file_has_exact_money_and_moments_in_utc(tmp_path: Path) -> None:
    assert write(tmp_path / "focus.csv", iter(ROWS), COLUMNS) == 2
    assert (tmp_path / "focus.csv").read_text("utf-8") == (
        "BilledCost,BillingAccountName,ChargePeriodStart,InvoiceId,x_Count\n"
        '1.500000000001,"Ltd., ""ACME""\nGmbH ü",2025-09-01T00:00:00Z,,\n'
        "1000,B,2025-09-02T00:00:00Z,,0.1\n"
    )


def test_a_parquet_file_has_the_same_with_types(tmp_path: Path) -> None:
    path = tmp_path / "focus.parquet"
    assert write(path, ROWS, COLUMNS) == 2
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        found = connection.read_parquet(f"{path}")
        assert [str(each) for each in found.types] == [
            *("DECIMAL(38,12)", "VARCHAR", "TIMESTAMP WITH TIME ZONE", "VARCHAR", "DECIMAL(38,12)")
        ]
        first = ROWS[0]["BilledCost"], ROWS[0]["BillingAccountName"]
        moment = "CAST(ChargePeriodStart AS TEXT)"
        wanted = f"BilledCost, BillingAccountName, {moment}, InvoiceId, x_Count"
        assert found.project(wanted).fetchall() == [
            (*first, "2025-09-01 00:00:00+00", None, None),
            (Decimal(1000), "B", "2025-09-02 00:00:00+00", None, Decimal("0.1")),
        ]


def test_a_file_that_cannot_be_written_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "focus.parquet"
    write(path, ROWS, COLUMNS)
    before = path.read_bytes()
    fine = {**ROWS[0], "BilledCost": Decimal("0.0000000000001")}
    with pytest.raises(ValueError, match=r"BilledCost: 0\.0000000000001 has more than 12 digits"):
        write(path, [fine], COLUMNS)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["focus.parquet"]
    with pytest.raises(ValueError, match=r"focus\.json: the name has to end in \.csv or \.parquet"):
        write(tmp_path / "focus.json", ROWS, COLUMNS)
