"""`tap-twilio-usage-deduplicate`: the tables of other connectors, as each writes it."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from sandbox import Company
from tap_twilio_usage import deduplicate
from tap_twilio_usage.raw.__main__ import main
from tests.conftest import ROOT, blocks, clean_environment

COMMAND = Path(sys.executable).with_name("tap-twilio-usage-deduplicate")
COMPANY = Company(today=date(2025, 10, 1), categories=40)
DAYS = [date(2025, 9, 1) + timedelta(days=number) for number in range(3)]
RECORDS = [
    {"account": account.sid, "day": day, **row._asdict()}
    for account in COMPANY.accounts()
    for day in DAYS
    for row in COMPANY.rows(day, account=account.sid, include_subaccounts=account.is_main)
]

Record = dict[str, Any]


def fivetran(record: Record) -> Record:
    """As the staging model of fivetran/dbt_twilio reads it: amounts are text."""
    return {
        "_fivetran_synced": datetime(2025, 10, 1, tzinfo=timezone.utc),
        "account_id": record["account"],
        "category": record["category"],
        "start_date": record["day"],
        "end_date": record["day"],
        "count": f"{record['events'] or ''}",
        "usage": f"{record['usage']}",
        "price": f"{record['price']}",
        "price_unit": "usd",
    }


def airbyte(record: Record) -> Record:
    """As the schema of airbytehq/airbyte has it: amounts are numbers, and days are moments."""
    day = record["day"]
    return {
        "_airbyte_raw_id": "0",
        "account_sid": record["account"],
        "category": record["category"],
        "start_date": datetime(day.year, day.month, day.day, tzinfo=timezone.utc),
        "end_date": day,
        "count": record["events"],
        "usage": float(record["usage"]),
        "price": float(record["price"]),
        "price_unit": "usd",
        "subresource_uris": '{"daily": "/2010-04-01/..."}',
    }


def ingestr(record: Record) -> Record:
    """As `usage_records:daily` of bruin-data/ingestr: Twilio's JSON, in which amounts are text."""
    return {
        "account_sid": record["account"],
        "category": record["category"],
        "start_date": f"{record['day']}",
        "end_date": f"{record['day']}",
        "count": f"{record['events'] or ''}",
        "usage": f"{record['usage']}",
        "price": f"{record['price']}",
        "price_unit": "usd",
        "subresource_uris": {"daily": "/2010-04-01/..."},
    }


def snowflake(record: Record) -> Record:
    """As an export of Fivetran's table from Snowflake."""
    return {name.upper(): value for name, value in fivetran(record).items()}


def write(path: Path, rows: list[Record]) -> Path:
    table = pa.Table.from_pylist(rows)
    if path.suffix == ".csv":
        flat = [f for f in table.schema.names if not pa.types.is_struct(table.schema.field(f).type)]
        pa.csv.write_csv(table.select(flat), path)
    else:
        pa.parquet.write_table(table, path)
    return path


def read(path: Path) -> list[Record]:
    if path.suffix == ".csv":
        with path.open(newline="") as file:
            return [*csv.DictReader(file)]
    return list(pa.parquet.read_table(path).to_pylist())


def failure(*arguments: Path) -> str:
    with pytest.raises(SystemExit) as error:
        main([*map(str, arguments)])
    said = f"{error.value}"
    assert "\n" not in said
    return said


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
@pytest.mark.parametrize("connector", [fivetran, airbyte, ingestr, snowflake])
def test_every_day_of_every_connector_adds_up_to_totalprice(
    connector: Callable[[Record], Record], suffix: str, tmp_path: Path
) -> None:
    given = write(tmp_path / f"in{suffix}", [connector(record) for record in RECORDS])
    out = tmp_path / f"out{suffix}"
    main([f"{given}", f"{out}"])
    before, rows = read(given), read(out)
    assert [*rows[0]] == [*before[0], "deduplicated_price", "dedup_role"]
    assert [{name: row[name] for name in before[0]} for row in rows] == before
    sums: defaultdict[tuple[str, date], Decimal] = defaultdict(Decimal)
    for record, row in zip(RECORDS, rows, strict=True):
        sums[record["account"], record["day"]] += Decimal(row["deduplicated_price"])
        assert row["dedup_role"] in {"total", "rollup", "leaf", "overlap"}
    assert sums == {
        (account.sid, day): COMPANY.total(day, account.sid, include_subaccounts=account.is_main)
        for account in COMPANY.accounts()
        for day in DAYS
    }


def test_doubles_are_read_as_their_shortest_decimal_and_the_log_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [airbyte(record) for record in RECORDS if record["day"] == DAYS[0]][:2]
    rows[0]["category"], rows[0]["price"] = "totalprice", 0.1 + 0.2
    rows[1]["category"], rows[1]["price"] = "calls", 0.00425
    out = tmp_path / "out.parquet"
    main([f"{write(tmp_path / 'in.parquet', rows)}", f"{out}"])
    found = {row["category"]: row["deduplicated_price"] for row in read(out)}
    assert found == {"totalprice": Decimal("0.29575"), "calls": Decimal("0.00425")}
    said = capsys.readouterr().err
    assert "2 prices are floating point" in said
    assert "1 of them have more than 15 digits and were rounded" in said


def test_the_currencies_of_a_day_are_apart_and_a_row_without_one_is_with_the_total(
    tmp_path: Path,
) -> None:
    given = tmp_path / "in.csv"
    given.write_text(
        "account_sid,category,start_date,price,price_unit\n"
        "AC1,totalprice,2025-09-01,5,usd\nAC1,sms,2025-09-01,4,\nAC1,calls,2025-09-01,7,eur\n"
    )
    main([f"{given}", f"{tmp_path / 'out.csv'}"])
    found = {row["category"]: row["deduplicated_price"] for row in read(tmp_path / "out.csv")}
    assert found == {"totalprice": "1", "sms": "4", "calls": ""}


def test_a_zero_has_no_sign_and_an_empty_line_is_no_row(tmp_path: Path) -> None:
    given = tmp_path / "in.csv"
    given.write_text(f"{HEADER}AC1,totalprice,2025-09-01,-0.00\n\nAC1,sms,2025-09-01,-0\n\n")
    main([f"{given}", f"{tmp_path / 'out.csv'}"])
    rows = read(tmp_path / "out.csv")
    assert [(row["price"], row["deduplicated_price"]) for row in rows] == [
        ("-0.00", "0"),
        ("-0", "0"),
    ]


def test_count_and_usage_tell_one_charge_under_two_names(tmp_path: Path) -> None:
    """The day that docs/deduplication.md shows."""
    given = tmp_path / "in.csv"
    given.write_text(
        "account_sid,category,start_date,price,count,usage\n"
        "AC1,totalprice,2025-09-01,9,,\nAC1,calls,2025-09-01,4,2,7\n"
        "AC1,carrier-lookups,2025-09-01,5,3,3\nAC1,sim-swap-lookups,2025-09-01,5,3,3\n"
    )
    main([f"{given}", f"{tmp_path / 'out.csv'}"])
    found = {row["category"]: row["deduplicated_price"] for row in read(tmp_path / "out.csv")}
    assert found == {
        "totalprice": "0",
        "calls": "4",
        "carrier-lookups": "5",
        "sim-swap-lookups": "0",
    }


def test_periods_of_different_lengths_are_apart(tmp_path: Path) -> None:
    given = tmp_path / "in.csv"
    given.write_text(
        "account_sid,category,start_date,end_date,price\n"
        "AC1,totalprice,2025-09-01,2025-09-01,5\nAC1,sms,2025-09-01,2025-09-01,4\n"
        "AC1,totalprice,2025-09-01,2025-09-30,70\nAC1,sms,2025-09-01,2025-09-30,60\n"
    )
    main([f"{given}", f"{tmp_path / 'out.csv'}"])
    assert [row["deduplicated_price"] for row in read(tmp_path / "out.csv")] == [
        "1",
        "4",
        "10",
        "60",
    ]


def test_what_the_user_should_know_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = tmp_path / "in.csv"
    given.write_text(
        "account_sid,category,start_date,price\n"
        "AC1,sms,2025-09-01,4\n"
        "AC2,totalprice,2025-09-01,5\nAC2,sms,2025-09-01,4\nAC2,calls,2025-09-01,9\n"
    )
    main([f"{given}", f"{tmp_path / 'out.csv'}"])
    said = capsys.readouterr().err
    assert "1 periods have no price for totalprice" in said
    assert "1 periods have rows that hold more than totalprice" in said
    assert "2 accounts: the rows of a main account may include those of its subaccounts" in said
    assert "4 rows of 2 periods written to" in said
    assert "SUM(deduplicated_price) = 5" in said


HEADER = "account_sid,category,start_date,price\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is empty"),
        (
            "account_id;category;start_date;price\n",
            "its columns are not separated by commas",
        ),
        ("a,category,b\n", "it has no column account_sid or account_id, start_date, price; its"),
        (f"{HEADER}AC1,sms,2025-09-01\n", "row 1 has 3 cells, the header 4"),
        (f"{HEADER}AC1,,2025-09-01,1\n", "row 1 has no category"),
        (f"{HEADER}AC1,sms,2025-09-01,1\nAC1,mms,2025-09-01,$2\n", "row 2: its price is not a"),
        (f"{HEADER}AC1,sms,2025-09-01,0.1234567890123\n", "row 1: its price has more than 12"),
        (f"{HEADER}" + "AC1,sms,2025-09-01,1\n" * 2, "category 'sms' of account AC1 is there 2"),
        ("account_sid,category,start_date,price,Dedup_Role\n", "it already has the column dedup_"),
        ("account_sid,category,start_date,price,PRICE\n", "it has the columns price, PRICE, which"),
        (f'{HEADER}AC1,"sms,2025', "it is not valid CSV in UTF-8"),
    ],
)
def test_a_file_that_cannot_be_used_ends_with_one_line(
    text: str, message: str, tmp_path: Path
) -> None:
    given, out = tmp_path / "in.csv", tmp_path / "out.csv"
    given.write_text(text)
    assert failure(given, out).startswith(f"deduplicate: {given}: {message}")
    assert [*tmp_path.iterdir()] == [given]


def test_a_path_that_cannot_be_used_ends_with_one_line(tmp_path: Path) -> None:
    given = tmp_path / "in.csv"
    assert "No such file" in failure(given, tmp_path / "out.csv")
    given.write_text(f"{HEADER}AC1,totalprice,2025-09-01,1\n")
    assert "No such file" in failure(given, tmp_path / "no" / "out.csv")
    assert "is of another kind; write .csv as well" in failure(given, tmp_path / "out.parquet")
    assert "it would be overwritten" in failure(given, given)
    (tmp_path / "in.parquet").write_text("no")
    assert "it is not a Parquet file: " in failure(tmp_path / "in.parquet", tmp_path / "o.parquet")
    assert "neither .parquet nor .csv" in failure(tmp_path / "in.xlsx", tmp_path / "out.xlsx")
    assert "neither .parquet nor .csv" in failure(tmp_path, tmp_path / "out.csv")
    (tmp_path / "folder.csv").mkdir()
    assert "folder.csv is a folder; give OUT" in failure(given, tmp_path / "folder.csv")
    assert "Is a directory" in failure(tmp_path / "folder.csv", tmp_path / "out.csv")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (pa.float32(), "of single precision, which does not hold cents"),
        (pa.bool_(), "row 1: its price is not a number"),
    ],
)
def test_a_type_that_holds_no_money_is_refused(
    kind: pa.DataType, message: str, tmp_path: Path
) -> None:
    table = pa.table({"account_id": ["AC1"], "category": ["sms"], "start_date": [DAYS[0]]})
    given = tmp_path / "in.parquet"
    pa.parquet.write_table(table.append_column("price", pa.array([1]).cast(kind)), given)
    assert message in failure(given, tmp_path / "out.parquet")


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_a_table_without_rows_stays_one(
    suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("account_id", "category", "start_date", "price")
    given, out = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    table = pa.table({name: pa.array([], pa.string()) for name in names})
    (pa.csv.write_csv if suffix == ".csv" else pa.parquet.write_table)(table, given)
    main([f"{given}", f"{out}"])
    assert read(out) == []
    assert "0 rows of 0 periods written to" in capsys.readouterr().err


def test_infinity_is_not_a_price(tmp_path: Path) -> None:
    rows = [airbyte(RECORDS[0]) | {"price": float("inf")}]
    given = write(tmp_path / "in.parquet", rows)
    assert "row 1: its price is not a number" in failure(given, tmp_path / "out.parquet")


def test_without_pyarrow_one_line_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "tap_twilio_usage.raw.parquet_file", raising=False)
    given = write(tmp_path / "in.parquet", [fivetran(RECORDS[0])])
    said = failure(given, tmp_path / "out.parquet")
    assert "pyarrow is not installed; pip install 'tap-twilio-usage[parquet]', or use CSV" in said


def test_the_installed_command_runs_without_the_sdk(tmp_path: Path) -> None:
    given = write(tmp_path / "in.csv", [fivetran(record) for record in RECORDS])
    done = subprocess.run(
        [COMMAND, given, tmp_path / "out.csv"],
        env={**clean_environment(), "PYTHONPROFILEIMPORTTIME": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"{len(RECORDS):,} rows" in done.stderr
    assert "singer_sdk" not in done.stderr


RECIPES = blocks(ROOT / "docs" / "migration.md", "python")


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda code: re.findall("import (\\w+)", code)[0])
def test_the_recipes_count_every_dollar_once(
    recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "usage_record.parquet", [fivetran(record) for record in RECORDS])
    exec(compile(recipe, "migration.md", "exec"), {})
    expected = {}
    for account in COMPANY.accounts():
        for day in DAYS:
            prices = {
                r["category"]: r["price"]
                for r in RECORDS
                if (r["account"], r["day"]) == (account.sid, day)
            }
            for category, share in deduplicate(prices).items():
                expected[account.sid, day, category] = (share.deduplicated_price, share.role)
    found = {
        (row["account_id"], row["start_date"], row["category"]): (
            row["deduplicated_price"],
            row["dedup_role"],
        )
        for row in read(tmp_path / "deduplicated.parquet")
    }
    assert found == expected


@pytest.mark.nightly
def test_the_benchmark_runs() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.raw_rows", "--quick"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.count("5,000") == 4
