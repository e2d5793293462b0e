"""The command that writes a month's charges as CSV, with rows of its own."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from tap_twilio_usage.report.charges import main
from tests.conftest import clean_environment

TABLE = """
    CREATE SCHEMA twilio_usage;
    CREATE TABLE twilio_usage.customer_charges (
        customer_id TEXT, customer_name TEXT, month DATE, price_unit TEXT, line TEXT, plan_id TEXT,
        item TEXT, quantity DECIMAL(38, 12), unit_price DECIMAL(38, 12), amount DECIMAL(18, 2),
        cost DECIMAL(38, 12), is_closed BOOLEAN
    );
"""
# customer, month, currency, line, plan, item, quantity, unit price, amount, closed
ROWS: list[tuple[Any, ...]] = [
    ("cus_2", 2, "EUR", "usage", None, "Voice", "7.004", "1", "7.00", True),
    ("cus_1", 2, "USD", "markup", "small", None, "0.29", "0.1", "0.03", True),
    ("cus_1", 2, "USD", "usage", "small", "Voice, fixed", "0.29", "1", "0.29", True),
    ("cus_1", 2, "USD", "overage", "small", "sms", "1200", "0.0150", "18.00", True),
    ("cus_1", 2, "USD", "plan", "small", None, "1", "50", "50.00", True),
    ("cus_1", 2, "USD", "adjustment", None, None, "1", "-3.1", "-3.10", True),
    ("cus_1", 2, "USD", "usage", "small", "Video", "0.001", "1", "0.00", True),
    (None, 2, "USD", "unassigned", None, "AC9", "8", "0", "0.00", True),
    ("cus_1", 3, "USD", "plan", "small", None, "1", "50", "50.00", False),
    ("cus_1", 4, "JPY", "plan", "small", None, "1", "50", "50.00", True),
]
ITEMS = [
    ("cus_1", "5000", "usd", "Plan small, 2024-02"),
    ("cus_1", "1800", "usd", "Overage sms (plan small), 1200 at 0.015, 2024-02"),
    ("cus_1", "29", "usd", "Usage Voice, fixed (plan small), 2024-02"),
    ("cus_1", "3", "usd", "Markup (plan small), 2024-02"),
    ("cus_1", "-310", "usd", "Adjustment of months before 2024-02"),
    ("cus_2", "700", "eur", "Usage Voice, 2024-02"),
]
Command = Callable[..., str]


def fill(execute: Callable[..., Any], mark: str) -> None:
    execute(TABLE)
    marks = ", ".join([mark] * len(ROWS[0]))
    for row in ROWS:
        execute(
            "INSERT INTO twilio_usage.customer_charges (customer_id, month, price_unit, line, "
            f"plan_id, item, quantity, unit_price, amount, is_closed) VALUES ({marks})",
            (row[0], date(2024, row[1], 1), *row[2:]),
        )


@pytest.fixture
def url(tmp_path: Path) -> str:
    with duckdb.connect(tmp_path / "w.duckdb") as duck:
        fill(duck.execute, "?")
    return f"duckdb:///{tmp_path / 'w.duckdb'}"


def refusal(*options: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(options)
    assert isinstance(ended.value.code, str)
    assert "\n" not in ended.value.code
    return ended.value.code


def check(text: str) -> None:
    header, *items = csv.reader(io.StringIO(text))
    assert header == [
        *("customer", "amount", "currency", "description", "period[start]", "period[end]")
    ]
    assert [tuple(item[:4]) for item in items] == ITEMS
    # From the first second of February to the last one of its 29th day, in GMT.
    assert {tuple(item[4:]) for item in items} == {("1706745600", "1709251199")}


def test_a_closed_month_is_written_in_cents(
    url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAP_TWILIO_USAGE_REPORT_URL", url)
    main(["--month", "2024-02"])
    check(capsys.readouterr().out)


def test_it_reads_postgresql_too(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    with psycopg.connect(database) as postgres:
        fill(postgres.execute, "%s")
    main(["--month", "2024-02", "--url", database])
    check(capsys.readouterr().out)


def test_it_writes_a_file(url: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tap_twilio_usage.report.charges", "--month=2024-02"]
    options = [f"--url={url}", "--output=items.csv"]
    done = subprocess.run(
        [*command, *options],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("", "charges: written to items.csv\n")
    check((tmp_path / "items.csv").read_text())
    missing = tmp_path / "missing" / "items.csv"
    assert refusal("--month=2024-02", options[0], f"--output={missing}") == (
        f"charges: {missing} cannot be written: No such file or directory"
    )


def test_an_open_month_is_written_only_on_demand(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refusal("--month=2024-03", f"--url={url}") == (
        "charges: 2024-03 is not closed, so its charges may still change; close it, or use --draft"
    )
    main(["--month=2024-03", f"--url={url}", "--draft"])
    assert "cus_1,5000,usd" in capsys.readouterr().out


def test_what_is_missing_or_wrong_is_one_line(
    url: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("TAP_TWILIO_USAGE_REPORT_URL", raising=False)
    month = "--month=2024-02"
    assert refusal(month) == (
        "charges: no warehouse is given; use --url, or set TARGET_POSTGRES_DATABASE or "
        "TARGET_DUCKDB_PATH"
    )
    assert refusal("--month=2024-01", f"--url={url}") == (
        "charges: no customer is charged for 2024-01"
    )
    assert refusal(month, f"--url={url}", "--schema=other") == (
        "charges: no table customer_charges in schema other; build the dbt models, or use --schema"
    )
    assert refusal("--month=2024-04", f"--url={url}") == (
        "charges: customer cus_1 is charged in JPY, which has no cents; only currencies with cents "
        "can be written"
    )
    assert "is not a valid" not in refusal(month, f"--url=duckdb:///{tmp_path / 'other.duckdb'}")
    assert refusal(month, "--url=oracle+other://x").startswith("charges: no SQLAlchemy dialect")
    with pytest.raises(SystemExit):
        main(["--month=2024-13", f"--url={url}"])
    assert "'2024-13' is not a valid month; use YYYY-MM" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    assert refusal(month, f"--url={url}") == (
        "charges: sqlalchemy is not installed; pip install 'tap-twilio-usage[report]'"
    )
