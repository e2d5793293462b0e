"""Files of FOCUS rows: what they hold, and how they are delivered."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import pytest

from tap_twilio_usage.focus import delivery
from tap_twilio_usage.focus.columns import columns_of, schema_of
from tap_twilio_usage.focus.files import type_of, write
from tap_twilio_usage.focus.rows import Payer
from tap_twilio_usage.report.focus_files import main
from tests.conftest import ROOT
from tests.test_focus import billed, usage_record

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


# The command.

GOLDEN = Path(__file__).with_name("focus_files")
DAYS = (date(2026, 1, 31), date(2026, 2, 1))
Deliver = Callable[..., Path]


def world() -> list[dict[str, Any]]:
    """Return the rows of two accounts and two days."""
    prices = {"calls-inbound": "2.5", "phonenumbers-local": "1.15", "credit-transfer": "-3"}
    found: list[dict[str, Any]] = []
    for day in DAYS:
        period = {"start_date": day, "end_date": day}
        for sid in ("AC2", "AC1"):
            records = [usage_record(name, price, **period) for name, price in prices.items()]
            total = usage_record("totalprice", "0.6500001", **period)
            payer = Payer("AC1", "Company", sid, "Branch, Inc.")
            found += billed([*records, total], payer).values()
    return found


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a database with these rows, as a target loads them."""
    path = tmp_path_factory.mktemp("focus") / "warehouse.duckdb"
    described = schema_of("1.3")["properties"]
    types = ", ".join(f'"{name}" {type_of(each)}' for name, each in described.items())
    marks = ", ".join("?" for _ in described)
    with duckdb.connect(path) as connection:
        connection.execute("CREATE SCHEMA tap_twilio_usage")
        connection.execute("SET TimeZone = 'Asia/Tokyo'")
        connection.execute(
            f"CREATE TABLE tap_twilio_usage.focus_cost_and_usage ({types}, _sdc_sequence BIGINT)"
        )
        connection.executemany(
            f"INSERT INTO tap_twilio_usage.focus_cost_and_usage VALUES ({marks}, 1)",
            [[row[name] for name in described] for row in world()],
        )
    return path


@pytest.fixture
def deliver(warehouse: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Deliver:
    """Return a function that runs the command on a copy of the database."""
    shutil.copy(warehouse, tmp_path)

    def run(*options: str, rows: int = 16, files: int = 4) -> Path:
        folder = tmp_path / "delivered"
        main([f"{folder}", f"--url=duckdb:///{tmp_path}/warehouse.duckdb", *options])
        assert capsys.readouterr().out == f"focus-files: {rows} rows in {files} files in {folder}\n"
        return folder

    return run


def in_order(version: str) -> list[str]:
    """Return the columns by name, with FOCUS's own before the others."""
    return sorted(columns_of(version), key=lambda name: (name[:2] == "x_", name))


def names(folder: Path) -> set[str]:
    return {f"{path.relative_to(folder)}" for path in folder.rglob("*") if path.is_file()}


def test_a_file_for_each_month_and_account_and_a_manifest(deliver: Deliver) -> None:
    folder = deliver("--format=csv")
    months, sids = ("2026-01", "2026-02"), ("AC1", "AC2")
    files = [f"{month}/{sid}.csv" for month in months for sid in sids]
    assert names(folder) == {*files, "manifest.json"}
    assert (folder / files[1]).read_bytes() == (GOLDEN / "2026-01-AC2.csv").read_bytes()
    manifest = json.loads((folder / "manifest.json").read_text())
    assert [each["path"] for each in manifest["files"]] == files
    assert {each["rows"] for each in manifest["files"]} == {4}
    assert {Decimal(each["billed_cost"]) for each in manifest["files"]} == {Decimal("0.6500001")}


def test_the_parquet_files_have_what_the_csv_files_have(deliver: Deliver) -> None:
    csv, parquet = deliver("--format=csv"), deliver()
    described = schema_of("1.3")["properties"]
    types = {name: type_of(described[name]) for name in in_order("1.3")}
    with duckdb.connect() as connection:
        text = connection.read_csv(
            f"{csv}/*/*.csv", columns=types, auto_detect=False, header=True, na_values=[""]
        )
        data = connection.read_parquet(f"{parquet}/*/*.parquet")
        assert data.columns == in_order("1.3")
        assert [f"{each}" for each in data.types] == [f"{each}" for each in text.types]
        assert data.except_(text).fetchall() == text.except_(data).fetchall() == []
        assert len(data) == 16


def test_the_metadata_has_the_schema_and_how_complete_each_day_is(deliver: Deliver) -> None:
    folder = deliver("--lookback-days=0")
    manifest = json.loads((folder / "manifest.json").read_text())
    metadata = manifest["metadata"]
    (schema,), (recency,) = metadata["Schema"], metadata["Recency"]
    assert schema["FocusVersion"] == "1.3"
    assert schema["DataGeneratorVersion"].endswith("+focus.1.3")
    assert {each["schema_id"] for each in manifest["files"]} == {schema["SchemaId"]}
    (instance,) = metadata["DatasetInstance"]
    assert f"{UUID(instance['DatasetInstanceId'])}" == recency["DatasetInstanceId"]
    assert schema["DatasetInstanceId"] == recency["DatasetInstanceId"]
    columns = {each["ColumnName"]: each for each in schema["ColumnDefinition"]}
    assert [*columns] == in_order("1.3")
    assert columns["BilledCost"] == {
        "ColumnName": "BilledCost",
        "DataType": "DECIMAL",
        "NumericPrecision": 38,
        "NumberScale": 12,
    }
    assert columns["SubAccountName"]["StringMaxLength"] == len("Branch, Inc.")
    assert {name for name, each in columns.items() if each.get("Deprecated")} == {
        *("ProviderName", "PublisherName")
    }
    assert [
        (each["TimeSectorStart"], each["TimeSectorComplete"]) for each in recency["TimeSectors"]
    ] == [("2026-01-31T00:00:00Z", True), ("2026-02-01T00:00:00Z", False)]
    moments = [schema["CreationDate"], recency["DatasetInstanceLastUpdated"]]
    moments += [recency["RecencyLastUpdated"]]
    moments += [each["TimeSectorLastUpdated"] for each in recency["TimeSectors"]]
    for each in moments:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", each)


def test_a_day_without_a_row_is_not_complete_but_has_its_last_update(
    deliver: Deliver, tmp_path: Path
) -> None:
    with duckdb.connect(tmp_path / "warehouse.duckdb") as connection:
        connection.execute(
            'UPDATE tap_twilio_usage.focus_cost_and_usage SET "ChargePeriodStart" = '
            "'2026-02-03T00:00:00Z' WHERE \"ChargePeriodStart\" > '2026-01-31T12:00:00Z'"
        )
    manifest = json.loads((deliver("--lookback-days=0") / "manifest.json").read_text())
    days = manifest["metadata"]["Recency"][0]["TimeSectors"]
    assert [each["TimeSectorComplete"] for each in days] == [True, False, False, False]
    assert all(each["TimeSectorLastUpdated"] for each in days)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_cloudability_gets_its_folders_and_an_older_version(deliver: Deliver, version: str) -> None:
    folder = deliver("--for=cloudability", *([] if version == "1.1" else ["--focus-version=1.0"]))
    found = sorted(names(folder))
    (epoch,) = {path.split("/")[2] for path in found}
    january = f"Twilio/20260101-20260201/{epoch}"
    assert found[:3] == [f"{january}/{name}" for name in ("AC1.parquet", "AC2.parquet")] + [
        f"{january}/Twilio-Manifest.json"
    ]
    manifest = json.loads((folder / found[2]).read_text())
    assert manifest.pop("report_id")
    assert manifest == {
        "compression": "GZIP",
        "content_type": "Parquet",
        "focus_version": version,
        "root_dir": "delivered",
        "all_report_keys": found[:2],
    }
    with duckdb.connect() as connection:
        data = connection.read_parquet(f"{folder / found[0]}")
        assert data.columns == in_order(version)
        assert ("SkuMeter" in data.columns) == (version == "1.1")
        ((compression,),) = connection.execute(
            f"SELECT DISTINCT compression FROM parquet_metadata('{folder / found[0]}')"
        ).fetchall()
    assert compression == "GZIP"


def test_vantage_gets_its_template(deliver: Deliver) -> None:
    folder = deliver("--for=vantage")
    months, sids = ("2026-01", "2026-02"), ("AC1", "AC2")
    files = {f"twilio-{month}-{sid}-1.csv" for month in months for sid in sids}
    assert names(folder) == {*files, "manifest.json"}
    written = (folder / "twilio-2026-01-AC2-1.csv").read_bytes()
    assert written == (GOLDEN / "vantage-2026-01-AC2.csv").read_bytes()


def test_a_version_without_the_old_names_has_the_new_ones(deliver: Deliver) -> None:
    folder = deliver("--focus-version=1.4", "--since=2026-02", rows=8, files=2)
    with duckdb.connect() as connection:
        data = connection.read_parquet(f"{folder}/*/*.parquet")
        assert data.columns == in_order("1.4")
        found = data.project("ServiceProviderName, InvoiceDetailId").distinct().fetchall()
        assert found == [("Twilio", None)]


def test_the_columns_of_the_model_with_owners_and_of_other_tables() -> None:
    stored = ["BILLEDCOST", "list_cost", "x_account_sid", "tags", "X_OWNER", "x_own", "note"]
    found = delivery.names([*stored, "x_InvoiceDetailId", "_sdc_sequence", "_dlt_id"])
    ours = ["BilledCost", "ListCost", "x_AccountSid", "Tags", "x_Owner", "x_own"]
    assert [*found.values()] == [*ours, "x_InvoiceDetailId"]
    described, project = delivery.projection("1.0", found.values())
    both = {*columns_of("1.0"), "Tags", "x_InvoiceDetailId", "x_Owner", "x_own"}
    assert [*described] == sorted(both, key=lambda name: (name[:2] == "x_", name))
    loaded = {"BilledCost": 1, "Tags": "{}", "ServiceProviderName": "Twilio"}
    row = project({**loaded, "x_InvoiceDetailId": "I1-2"})
    assert (row["Tags"], row["ProviderName"], row["ListCost"]) == ("{}", "Twilio", None)
    assert row["x_InvoiceDetailId"] == "I1-2"
    described, project = delivery.projection("1.4", found.values())
    assert "x_InvoiceDetailId" not in described
    assert project({"x_InvoiceDetailId": "I1-2"})["InvoiceDetailId"] == "I1-2"


def test_vantage_gets_parts_of_a_large_month_and_its_own_categories() -> None:
    rows = [{**row, "x_AccountSid": "AC1"} for row in world()[:8]]
    found = [(part.number, len([*part.rows])) for part in delivery.parts(rows, most=3)]
    assert found == [(1, 3), (2, 3), (3, 2)]
    kinds = {"Usage": "Usage", "Purchase": "Usage", "Credit": "Credit", "Adjustment": "Discount"}
    for kind, theirs in kinds.items():
        row = {**rows[0], "ChargeCategory": kind, "BilledCost": Decimal(-1)}
        assert delivery.for_vantage(row)["ChargeCategory"] == theirs
    more = {**rows[0], "ChargeCategory": "Adjustment", "BilledCost": Decimal(1)}
    assert delivery.for_vantage(more)["ChargeCategory"] == "Usage"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--url="],
            "no warehouse is given; use --url, or set TARGET_POSTGRES_DATABASE or ",
        ),
        (["--table=focus"], "no table focus in schema tap_twilio_usage; load it with the setting"),
        (["--for=vantage", "--focus-version=1.4"], "--focus-version 1.4 is not for vantage; omit"),
        (["--for=vantage", "--format=parquet"], "--format parquet is not for vantage; use csv, or"),
        (
            ["--for=cloudability", "--focus-version=1.3"],
            "--focus-version 1.3 is not for cloudability; use 1.0 or 1.1, or omit it",
        ),
        (["--since=2027-01"], "the table has no row in these months; load them, or use another"),
    ],
)
def test_a_failure_is_one_line(
    deliver: Deliver, monkeypatch: pytest.MonkeyPatch, options: list[str], said: str
) -> None:
    for name in ("TAP_TWILIO_USAGE_REPORT_URL", "TARGET_POSTGRES_DATABASE", "TARGET_DUCKDB_PATH"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SystemExit, match=f"^focus-files: {re.escape(said)}"):
        deliver(*options)


def test_an_account_that_is_no_sid_names_no_file(deliver: Deliver, tmp_path: Path) -> None:
    with duckdb.connect(tmp_path / "warehouse.duckdb") as connection:
        connection.execute(
            "UPDATE tap_twilio_usage.focus_cost_and_usage SET \"x_AccountSid\" = '../AC1'"
        )
    with pytest.raises(SystemExit, match=r"^focus-files: x_AccountSid: '\.\./AC1' is not an"):
        deliver()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ('UPDATE {} SET "x_AccountSid" = NULL', "x_AccountSid: None is not an account SID"),
        ('UPDATE {} SET "BilledCost" = NULL', "BilledCost: a row has none"),
        (
            'ALTER TABLE {} DROP "x_Category"',
            "focus_cost_and_usage has no column x_Category; use the table focus_cost_and_usage, or",
        ),
    ],
)
def test_a_table_that_the_tap_did_not_load_is_refused(
    deliver: Deliver, tmp_path: Path, change: str, said: str
) -> None:
    with duckdb.connect(tmp_path / "warehouse.duckdb") as connection:
        connection.execute(change.format("tap_twilio_usage.focus_cost_and_usage"))
    with pytest.raises(SystemExit, match=f"^focus-files: {re.escape(said)}"):
        deliver()


def test_a_number_of_days_is_not_negative(
    deliver: Deliver, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        deliver("--lookback-days=-1")
    assert "'-1' is not a number of days; use 0 or more" in capsys.readouterr().err


# The queries of docs/focus.md, which are those of the FOCUS project, in parts.

FEATURES = {
    "Account structures": (
        "BillingAccountId, BillingAccountType, SubAccountId, SubAccountName, SubAccountType",
        ("BilledCost",),
        "",
    ),
    "Billed cost and invoice alignment": (
        "BillingPeriodStart, BillingPeriodEnd, InvoiceId",
        ("BilledCost",),
        "",
    ),
    "Charge categorization (corrections)": (
        "ProviderName, BillingAccountId, ChargeCategory, ServiceCategory, ServiceName",
        ("BilledCost",),
        "ChargeClass = 'Correction'",
    ),
    "Cost comparison": (
        "ProviderName, BillingAccountId, BillingAccountName, BillingCurrency, ServiceName",
        ("EffectiveCost", "BilledCost", "ContractedCost", "ListCost"),
        "ChargeClass IS NULL",
    ),
    "Custom columns": ("BillingPeriodStart, x_Category", ("BilledCost",), ""),
    "Data granularity": (
        "ChargePeriodStart, ChargePeriodEnd, ResourceId",
        ("EffectiveCost",),
        "",
    ),
    "Effective cost": (
        "ProviderName, BillingPeriodStart, ServiceCategory, ServiceName, RegionId, PricingUnit",
        ("EffectiveCost", "PricingQuantity"),
        "",
    ),
    "Provider services": (
        "BillingPeriodStart, ProviderName, SubAccountId, SubAccountName, ServiceName",
        ("BilledCost", "EffectiveCost"),
        "ServiceName = 'Voice'",
    ),
    "Resource usage": (
        "ProviderName, ServiceName, ResourceId, SkuId, ConsumedUnit",
        ("ConsumedQuantity",),
        "ChargeCategory = 'Usage'",
    ),
    "Service categorization": (
        "BillingPeriodStart, ServiceCategory, ServiceSubcategory, ServiceName, BillingCurrency",
        ("BilledCost",),
        "",
    ),
}


def test_the_queries_of_the_focus_project_print_what_the_page_says(deliver: Deliver) -> None:
    folder = deliver()
    page = (ROOT / "docs" / "focus.md").read_text()
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        data = connection.read_parquet(f"{folder}/*/*.parquet")
        data.create_view("focus_data_table")
        for name, (columns, sums, where) in FEATURES.items():
            totals = ", ".join(f"SUM({each})" for each in sums)
            rows = connection.execute(
                f"SELECT {columns}, {totals} FROM focus_data_table "
                f"WHERE {where or 'TRUE'} GROUP BY {columns}"
            ).fetchall()
            amounts = [
                Decimal(sum(row[number - len(sums)] or 0 for row in rows))
                for number in range(len(sums))
            ]
            said = " and ".join(
                f"{amount.normalize():f} `{each}`"
                for amount, each in zip(amounts, sums, strict=True)
            )
            line = f"| {name} | {len(rows)} | {said} |"
            assert f"{line}\n" in page, line
