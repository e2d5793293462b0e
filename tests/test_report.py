"""The demo's report: what it prints, and that it fails if a day does not add up."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from sandbox.report import TABLE, main

ROWS = [
    ("calls", "2026-01-01", "3.1", "1.1", "Voice"),
    ("calls-inbound", "2026-01-01", "2.0", "2.0", "Voice"),
    ("sms", "2026-01-01", "0.2", "0.2", "SMS & MMS"),
    ("totalprice", "2026-01-01", "3.6", "0.3", "Unattributed"),
    ("sms", "2026-01-02", "0.1", "0.1", "SMS & MMS"),
    ("totalprice", "2026-01-02", "0.1", "0", "Unattributed"),
]


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    path = tmp_path / "demo.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            f"CREATE SCHEMA tap_twilio_usage; CREATE TABLE {TABLE} "
            "(account_sid VARCHAR, includes_subaccounts BOOLEAN, price_unit VARCHAR, "
            "category VARCHAR, start_date DATE, price DECIMAL(38, 12), "
            "deduplicated_price DECIMAL(38, 12), service VARCHAR)"
        )
        connection.executemany(
            f"INSERT INTO {TABLE} VALUES ('AC', true, 'usd', ?, ?, ?, ?, ?)",
            ROWS,
        )
    return path


def test_the_report_shows_services_and_the_three_sums(
    warehouse: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(warehouse)]) == 0
    assert [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()] == [
        "Spend by service, 2026-01-01 to 2026-01-02 GMT, usd",
        "-" * 37,
        "Voice 3.10 83.8%",
        "SMS & MMS 0.30 8.1%",
        "Unattributed 0.30 8.1%",
        "-" * 37,
        "Sum of all categories 5.40 1.46 times the bill",
        "SUM(deduplicated_price) 3.70 each dollar counted once",
        "Twilio's totalprice 3.70 equal on all 2 days",
    ]


def test_a_day_that_does_not_add_up_is_an_error(
    warehouse: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute(f"DELETE FROM {TABLE} WHERE category = 'calls'")
    assert main([str(warehouse)]) == 1
    assert capsys.readouterr().err == (
        "report: 1 of 2 days do not add up; 2026-01-01: SUM(deduplicated_price) is 2.50, "
        "totalprice 3.60\n"
    )


def test_a_file_or_table_that_is_missing_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "no.duckdb")]) == 1
    duckdb.connect(str(tmp_path / "empty.duckdb")).close()
    assert main([str(tmp_path / "empty.duckdb")]) == 1
    missing, empty = capsys.readouterr().err.splitlines()
    assert "is missing; load it first: meltano run demo" in missing
    assert "has no usage_records_daily" in empty
