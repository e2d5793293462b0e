"""The dbt models of FOCUS, built on what the tap loads from the sandbox."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from focus_check import own
from sandbox import AUTH_TOKEN, MAIN_SID, Company, Server
from sandbox.invoice import invoice
from tap_twilio_usage.focus.columns import STREAM, columns_of
from tap_twilio_usage.focus.metadata import instance_of
from tap_twilio_usage.invoice.__main__ import main as read_invoice
from tests.conftest import QUIET_DBT, ROOT, Run, address, catalog_of, clean_environment, forked_in

FIRST, LAST = date(2025, 8, 20), date(2025, 10, 5)
SUBACCOUNT, MISSING = "AC" + "2".zfill(32), date(2025, 8, 25)
STREAMS = ("usage_records_daily", "categories", "accounts")
TYPES = {
    "boolean": "BOOLEAN",
    "date": "DATE",
    "date-time": "TIMESTAMPTZ",
    "integer": "INT",
    "number": "NUMERIC",
}
OWNER = 'Sales "EMEA" \\ Ops'
RULES = f"""\
rule_id,priority,account_sid,service,category,owner,cost_center,weight,valid_from,valid_to
split,1,,,sms*,"{OWNER.replace('"', '""')}",100,2,,
split,1,,,sms*,Marketing,,1,,
voice,2,,Voice,,Support,300,,,
"""
VARS = {
    "twilio_usage_closed_through": "2025-08-31",
    "twilio_usage_payment_terms": "Net 30 days' time",
}
MODELS = (
    *("focus_cost_and_usage_allocated", "focus_billing_period", "focus_invoice_detail"),
    "focus_recency",
)
Rows = list[tuple[Any, ...]]
Query = Callable[[str], Rows]


@pytest.fixture(scope="module")
def company() -> Company:
    return Company(since=date(2025, 8, 1), today=LAST, subaccounts=1, categories=40)


@pytest.fixture(scope="module")
def run(company: Company, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Load every stream that the models read."""
    with Server(company) as server:
        settings = {
            "account_sid": MAIN_SID,
            "auth_token": AUTH_TOKEN,
            "subaccounts": "separate",
            "start_date": f"{FIRST}",
            "focus": True,
            "api_url": server.url,
        }
        sync = forked_in(tmp_path_factory.mktemp("tap"))
        return sync(settings, catalog=catalog_of(sync(settings, "--discover").catalog, *STREAMS))


def load(uri: str, run: Run) -> None:
    with psycopg.connect(uri) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA tap_twilio_usage")
        for stream in (*STREAMS, STREAM):
            columns = {}
            for name, each in run.schemas()[stream]["schema"]["properties"].items():
                kind = each.get("format") or next(t for t in each["type"] if t != "null")
                columns[name] = TYPES.get(kind, "TEXT")
            table = f"tap_twilio_usage.{stream}"
            described = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
            cursor.execute(f"CREATE TABLE {table} ({described})")
            with cursor.copy(f"COPY {table} FROM STDIN") as copy:
                for record in run.records(stream):
                    row = [record.get(name) for name in columns]
                    copy.write_row(
                        [json.dumps(each) if isinstance(each, list) else each for each in row]
                    )
        cursor.execute(
            "DELETE FROM tap_twilio_usage.usage_records_daily "
            f"WHERE account_sid = '{SUBACCOUNT}' AND start_date = '{MISSING}'"
        )
        cursor.execute(
            f"DELETE FROM tap_twilio_usage.{STREAM} WHERE \"x_AccountSid\" = '{SUBACCOUNT}' "
            f"AND \"ChargePeriodStart\" = '{MISSING}T00:00:00Z'"
        )


@pytest.fixture(scope="module")
def query(
    company: Company,
    run: Run,
    plugins: Path,
    postgres: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Query:
    """Build the models and their tests; return a function that queries them."""
    with psycopg.connect(f"{postgres}/postgres", autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS focus WITH (FORCE)")  # of an earlier set-up
        connection.execute("CREATE DATABASE focus")
    uri = f"{postgres}/focus"
    load(uri, run)
    package = tmp_path_factory.mktemp("focus") / "dbt"
    shutil.copytree(ROOT / "dbt", package, ignore=shutil.ignore_patterns("target", "logs"))
    (package / "seeds" / "allocation_rules.csv").write_text(RULES)
    written = invoice(company, date(2025, 9, 1))
    file = package / written.file_name
    file.write_text(written.csv(), newline="")
    read_invoice([f"{file}", f"--output={package / 'seeds' / 'invoice_lines.csv'}"])
    command: list[str | Path] = [
        *(plugins / "utilities" / "dbt-postgres" / "venv" / "bin" / "dbt", "build"),
        *("--select", *(f"+{model}" for model in MODELS), "--indirect-selection", "buildable"),
        *("--exclude", "test_name:not_null", "closed_months_are_loaded", "every_day_is_loaded"),
        *("--profiles-dir", package),
        *("--vars", json.dumps(VARS)),
    ]
    done = subprocess.run(
        command,
        cwd=package,
        env={**clean_environment(), **address(uri), **QUIET_DBT},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "PASS focus_allocated_adds_up" in done.stdout

    def ask(statement: str) -> Rows:
        with psycopg.connect(uri) as connection:
            connection.execute("SET TIME ZONE 'UTC'")
            return connection.execute(statement).fetchall()

    return ask


def columns_in(query: Query, model: str) -> dict[str, str]:
    """Return the columns of a model, with their types."""
    return dict(
        query(
            "SELECT column_name, data_type FROM information_schema.columns "
            f"WHERE table_schema = 'twilio_usage' AND table_name = '{model}' "
            "ORDER BY ordinal_position"
        )
    )


def allocated(query: Query) -> list[dict[str, Any]]:
    names = columns_in(query, "focus_cost_and_usage_allocated")
    rows = query("SELECT * FROM twilio_usage.focus_cost_and_usage_allocated")
    return [dict(zip(names, row, strict=True)) for row in rows]


@pytest.mark.parametrize(
    ("model", "version", "dataset"),
    [
        ("focus_cost_and_usage_allocated", "1.3", "CostAndUsage"),
        ("focus_billing_period", "1.4", "BillingPeriod"),
        ("focus_invoice_detail", "1.4", "InvoiceDetail"),
    ],
)
def test_the_models_are_datasets_of_focus(
    query: Query, model: str, version: str, dataset: str
) -> None:
    columns = columns_in(query, model)
    types = {"numeric": "DECIMAL(38, 12)", "timestamp without time zone": "TIMESTAMP"}
    described = ", ".join(f'"{name}" {types.get(kind, kind)}' for name, kind in columns.items())
    marks = ", ".join("?" for _ in columns)
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE model ({described})")
        rows = query(f"SELECT * FROM twilio_usage.{model} LIMIT 300")
        connection.executemany(f"INSERT INTO model VALUES ({marks})", rows)
        found = own.check(connection, "model", version, dataset)
    assert found.unexpected == []
    assert found.passed >= len(columns)


def test_each_cost_is_allocated_and_the_sums_stay(query: Query, run: Run) -> None:
    columns = ("BilledCost", "EffectiveCost", "PricingQuantity", "ConsumedQuantity")
    loaded: defaultdict[tuple[str, str], list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 4)
    found: defaultdict[tuple[str, str], list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 4)
    for row in run.records(STREAM):
        key = row["x_AccountSid"], row["ChargePeriodStart"][:10]
        loaded[key] = [a + Decimal(row[c] or 0) for a, c in zip(loaded[key], columns, strict=True)]
    rows = allocated(query)
    for row in rows:
        key = row["x_AccountSid"], f"{row['ChargePeriodStart']:%Y-%m-%d}"
        found[key] = [a + (row[c] or 0) for a, c in zip(found[key], columns, strict=True)]
    del loaded[SUBACCOUNT, f"{MISSING}"]
    assert found == loaded
    assert len(rows) > len(run.records(STREAM))
    owners = {row["x_Owner"] for row in rows}
    assert owners == {OWNER, "Marketing", "Support", None}


def test_tags_have_the_owner_and_the_cost_center(query: Query) -> None:
    tags = {row["x_Owner"]: row["Tags"] for row in allocated(query)}
    assert {owner: text and json.loads(text) for owner, text in tags.items()} == {
        OWNER: {"owner": OWNER, "cost_center": "100"},
        "Marketing": {"owner": "Marketing"},
        "Support": {"owner": "Support", "cost_center": "300"},
        None: None,
    }


def test_only_a_divided_cost_has_an_allocation(query: Query) -> None:
    seen = set()
    for row in allocated(query):
        method = row["AllocatedMethodId"]
        assert method == ("split" if row["x_RuleId"] == "split" else None)
        seen.add((row["AllocatedResourceId"], row["AllocatedResourceName"], method))
        if row["x_Owner"] == "Marketing" and row["PricingQuantity"]:
            ((cost, quantity),) = query(
                'SELECT "BilledCost", "PricingQuantity" '
                f"FROM tap_twilio_usage.{STREAM} WHERE \"x_Category\" = '{row['x_Category']}' "
                f"AND \"x_AccountSid\" = '{row['x_AccountSid']}' "
                f"AND \"ChargePeriodStart\" = '{row['ChargePeriodStart']}Z'"
            )
            assert abs(row["BilledCost"] * 3 - cost) <= Decimal("1e-11")
            assert abs(row["PricingQuantity"] * 3 - quantity) <= abs(quantity) / 10**9
            break
    else:
        pytest.fail("no quantity was divided")


def test_the_mart_has_the_columns_of_focus(query: Query) -> None:
    (row, *_) = allocated(query)
    own = {"Tags", "x_InvoiceDetailId", "x_Owner", "x_CostCenter", "x_RuleId"}
    left_out = {"x_Count", "x_CountUnit", "x_Price", "x_PriceUnit", "x_UsageUnit"}
    assert row.keys() == {*columns_of("1.3")} - left_out | own
    of_twilio = [name.startswith("x_") for name in row]
    assert of_twilio == sorted(of_twilio)  # last


def test_the_billing_periods_are_the_months(query: Query) -> None:
    found = query(
        'SELECT "BillingPeriodStart", "BillingPeriodEnd", "BillingPeriodStatus", '
        '"BillingPeriodCreated", "BillingPeriodLastUpdated" >= "BillingPeriodStart", '
        '"InvoiceIssuerName" FROM twilio_usage.focus_billing_period ORDER BY 1'
    )
    begins = [datetime(2025, month, 1) for month in (8, 9, 10, 11)]  # noqa: DTZ001
    statuses = ["Closed", "Open", "Open"]
    assert found == [
        (begins[n], begins[n + 1], statuses[n], begins[n], True, "Twilio") for n in range(3)
    ]


def test_the_invoice_detail_is_the_invoice(query: Query, company: Company) -> None:
    written = invoice(company, date(2025, 9, 1))
    rows = query(
        'SELECT "ChargeCategory", "BilledCost", "BillingAccountId", "InvoiceDetailGrain", '
        '"InvoiceDetailId", "InvoiceDetailDescription", "BillingPeriodStart", "BillingPeriodEnd", '
        '"ReferenceInvoiceId" = "InvoiceId", "PaymentTerms" FROM twilio_usage.focus_invoice_detail'
    )
    assert sum(row[1] for row in rows) == written.total
    assert {row[0] for row in rows} >= {"Usage", "Tax", "Credit"}
    assert {row[2] for row in rows} == {MAIN_SID}
    assert len({row[4] for row in rows}) == len(rows)
    grains = [json.loads(row[3]) for row in rows]
    assert {name for grain in grains for name in grain} == {
        *("ServiceName", "SubAccountId", "x_ItemGroup", "x_Item")
    }
    month = datetime(2025, 9, 1), datetime(2025, 10, 1)  # noqa: DTZ001
    assert {row[6:] for row in rows} == {(*month, True, VARS["twilio_usage_payment_terms"])}


def test_a_charge_names_its_invoice_and_the_only_line_that_it_can_be_of(query: Query) -> None:
    lines: defaultdict[tuple[str, str | None], list[str]] = defaultdict(list)
    for line, category, grain in query(
        'SELECT "InvoiceDetailId", "ChargeCategory", "InvoiceDetailGrain" '
        "FROM twilio_usage.focus_invoice_detail"
    ):
        of = json.loads(grain)
        if category in {"Usage", "Purchase"} and "ServiceName" in of:
            lines[of["ServiceName"], of.get("SubAccountId")].append(line)
    rows = allocated(query)
    for row in rows:
        own = lines[row["ServiceName"], row["SubAccountId"]]
        is_invoiced = row["ChargePeriodStart"].month == 9
        assert (row["InvoiceId"] is not None) == is_invoiced
        assert row["x_InvoiceDetailId"] == (own[0] if is_invoiced and len(own) == 1 else None)
    assert len({row["x_InvoiceDetailId"] for row in rows}) > 2


def test_the_dataset_has_the_id_that_delivered_files_have(query: Query) -> None:
    found = query('SELECT DISTINCT "DatasetInstanceId" FROM twilio_usage.focus_recency')
    assert found == [(instance_of("CostAndUsage", MAIN_SID),)]


def test_a_day_is_complete_once_no_run_reads_it_again(query: Query) -> None:
    found = query(
        'SELECT CAST("TimeSectorStart" AS DATE), "TimeSectorComplete", "TimeSectorEnd" - '
        '"TimeSectorStart", "TimeSectorLastUpdated" IS NOT NULL '
        "FROM twilio_usage.focus_recency ORDER BY 1"
    )
    one = timedelta(days=1)
    days = [FIRST + n * one for n in range((LAST - FIRST).days + 1)]
    assert [row[0] for row in found] == days
    assert {row[2] for row in found} == {one}
    complete = {row[0] for row in found if row[1]}
    assert complete == {day for day in days if day < LAST - 35 * one} - {MISSING}
    assert all(row[3] for row in found)
