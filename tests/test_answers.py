"""The demo's answers: what they print, and that they fail if a mart is not Twilio's total."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from sandbox import MAIN_SID, Company
from sandbox.__main__ import main as sandbox
from sandbox.answers import main

TABLES = """
reconciliation: start_date DATE, total DECIMAL(38, 12)
    ('2026-05-31', 7), ('2026-06-30', 10), ('2026-07-01', 4)
allocated_cost: start_date DATE, owner TEXT, cost DECIMAL(38, 12)
    ('2026-06-30', 'Shop', 9.99), ('2026-06-30', 'Unallocated', 0.01)
customer_charges: month DATE, customer_name TEXT, line TEXT, amount DECIMAL(18, 2), \
cost DECIMAL(38, 12)
    ('2026-06-01', 'Acme', 'plan', 20, 6), ('2026-06-01', NULL, 'unassigned', 0, 4)
forecast_by_month: month DATE, actual DECIMAL(38, 12), forecast DECIMAL(38, 12)
    ('2026-07-01', 4, 30)
budget_status: budget_id TEXT, period_start DATE, amount DECIMAL(38, 12), actual DECIMAL(38, 12), \
forecast DECIMAL(38, 12), forecast_low DECIMAL(38, 12), forecast_high DECIMAL(38, 12), status TEXT
    ('everything', '2026-07-01', 25, 4, 30, 29, 31, 'at_risk')
anomalies: start_date DATE, account_sid TEXT, category TEXT, cost DECIMAL(38, 12), \
expected DECIMAL(38, 12), excess_cost DECIMAL(38, 12), kind TEXT
    ('2026-06-30', 'AC0002', 'sms', 9, 1, 8, 'spike')
invoice_reconciliation: period_start DATE, reason TEXT, difference DECIMAL(38, 12), \
invoice_amount DECIMAL(38, 12), usage_amount DECIMAL(38, 12)
    ('2026-06-01', 'tax', 1, 1, 0), ('2026-06-01', 'rounding', 0, 10, 10)
"""


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    path = tmp_path / "demo.duckdb"
    with duckdb.connect(f"{path}") as connection:
        connection.execute("CREATE SCHEMA twilio_usage")
        text = TABLES.replace("\\\n", "")
        for name, columns, rows in re.findall(r"(\w+): (.+)\n    (.+)\n", text):
            connection.execute(f"CREATE TABLE twilio_usage.{name} ({columns})")
            connection.execute(f"INSERT INTO twilio_usage.{name} VALUES {rows}")
    return path


def test_the_answers_add_up(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"{demo}"]) == 0
    said = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert said == [
        *("Who spent 10.00 in 2026-06", "Shop 9.99", "Unallocated 0.01"),
        *("Invoice of Acme for 2026-06", "plan 20.00", "sum 20.00 for which Twilio charges 6.00"),
        *("Budget for 2026-07: 25.00", "spent so far 4.00"),
        "expected at the end 30.00 (29.00 to 31.00): at_risk",
        "Unusual in the last 90 days",
        "2026-06-30 AC...0002 sms: 9.00 instead of 1.00 (spike)",
        *("Twilio's invoice for 2026-06", "usage 10.00", "tax 1.00", "sum 11.00"),
        "Each of these sums was compared with Twilio's totalprice: all are equal.",
    ]


@pytest.mark.parametrize(
    ("mart", "column"),
    [
        ("allocated_cost", "cost"),
        ("customer_charges", "cost"),
        ("forecast_by_month", "actual"),
        ("budget_status", "actual"),
        ("budget_status", "forecast"),
        ("invoice_reconciliation", "usage_amount"),
    ],
)
def test_a_mart_that_is_not_twilios_total_fails(
    demo: Path, capsys: pytest.CaptureFixture[str], mart: str, column: str
) -> None:
    with duckdb.connect(f"{demo}") as connection:
        connection.execute(f"UPDATE twilio_usage.{mart} SET {column} = {column} + 0.000000000001")
    assert main([f"{demo}"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"answers: {mart} adds up to ")


def test_no_marts_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"{tmp_path / 'none.duckdb'}"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_the_files_of_the_demo_are_seeds_and_the_invoice_of_last_month(tmp_path: Path) -> None:
    for today in ("2025-10-05", "2025-11-05"):  # the invoice of an earlier run is replaced
        assert sandbox(["demo", f"{tmp_path}", "--today", today]) == 0
    seeds = {path.stem for path in (tmp_path / "seeds").glob("*.csv")}
    assert {"allocation_rules", "budgets", "customers", "plans", "invoice_item_groups"} <= seeds
    (file,) = (tmp_path / "invoices").iterdir()
    assert "2025-10" in file.name


def test_a_leaked_key_sends_many_messages_on_one_day() -> None:
    day, subaccount = date(2025, 9, 10), f"AC{'2'.zfill(32)}"
    calm, leaked = Company(), Company(leaked_key_on=day)
    for each in (day, day + timedelta(days=7)):
        usual, found = (
            {charge.category: charge for charge in company.charges(subaccount, each)}
            for company in (calm, leaked)
        )
        more = {name for name in found if found[name] != usual.get(name)}
        assert all(name.startswith("sms") for name in more)
        assert bool(more) == (each == day)
    assert calm.charges(MAIN_SID, day) == leaked.charges(MAIN_SID, day)
