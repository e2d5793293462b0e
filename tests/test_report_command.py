"""The command of the report: both kinds of warehouse, its address, one-line errors, its files."""

from __future__ import annotations

import csv
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from tap_twilio_usage.report.__main__ import main
from tap_twilio_usage.report.address import address, place
from tap_twilio_usage.report.errors import ReportError
from tests.conftest import Meltano, clean_environment, nightly, text_of
from tests.conftest import address as settings_of
from tests.reports import (
    a_day,
    charge,
    days,
    duckdb_of,
    failure,
    own_month,
    postgres_of,
    written,
)
from tests.test_report_figures import ROWS

FEBRUARY = [own_month("2026-02-01", 28, "1234567.523457", as_of="2026-02-28")]


def test_postgresql_and_duckdb_give_the_same_page_to_the_last_digit(
    database: str, tmp_path: Path
) -> None:
    rows = [*ROWS, *a_day("2026-02-02", "0.1", "0.2", "1234567.123456")]
    page = written(postgres_of(rows, database, FEBRUARY), tmp_path)
    assert 'title="1234571.123457"' in page  # the sum
    file = duckdb_of(rows, tmp_path / "w.duckdb", "tap_twilio_usage", months=FEBRUARY)
    host = database.partition("@")[2].partition("/")[0].partition(":")[0]
    name = database.rpartition("/")[2]
    assert page == written(file, tmp_path).replace(
        "DuckDB file w.duckdb", f"PostgreSQL {host}/{name}"
    )


def test_postgresql_amounts_keep_all_of_their_digits(database: str, tmp_path: Path) -> None:
    price = "12345678901234567890.123456789012345678"
    rows = [charge("2026-01-01", "calls", price), charge("2026-01-01", "totalprice", price, "0")]
    page = written(postgres_of(rows, database), tmp_path)
    assert f'title="{price}"' in page
    assert "$12,345,678,901,234,567,890.12" in text_of(page)
    assert "1 of 1 days" in text_of(page)


def test_the_report_begins_six_months_back_or_on_the_given_day(tmp_path: Path) -> None:
    rows = [row for day in ("2025-12-31", "2026-01-01", "2026-07-05") for row in a_day(day, "1")]
    url = duckdb_of(rows, tmp_path / "w.duckdb")
    assert "1 January to 5 July 2026" in text_of(written(url, tmp_path))
    asked = written(url, tmp_path, "--since", "2025-12-01")
    assert "31 December 2025 to 5 July 2026" in text_of(asked)


def test_the_schema_is_that_of_the_target_or_the_default_or_the_given_one(tmp_path: Path) -> None:
    url = duckdb_of(a_day("2026-01-01", "1"), tmp_path / "w.duckdb")
    assert 'title="1.000001"' in written(url, tmp_path)
    duckdb_of(a_day("2026-01-01", "2"), tmp_path / "w.duckdb", "tap_twilio_usage")
    assert 'title="2.000001"' in written(url, tmp_path)
    assert 'title="1.000001"' in written(url, tmp_path, "--schema", "main")


def test_rows_of_any_spelling_and_without_a_price_are_read(tmp_path: Path) -> None:
    calls = charge("2026-01-01", "calls", "2")
    rows = [
        calls,
        calls._replace(category="new", price=None, deduplicated=Decimal(0)),
        charge("2026-01-01", " TotalPrice ", "2", "0"),
        charge("2026-01-02", " TotalPrice ", "0"),
    ]
    page = written(duckdb_of(rows, tmp_path / "w.duckdb"), tmp_path)
    assert "Spent so far in January 2026 $2.00" in text_of(page)
    assert "2 of 2 days" in text_of(page)


def run(*arguments: str, code: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    program = f"import sys; {code}from tap_twilio_usage.report.__main__ import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={**clean_environment(), **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


PASSWORD = "s3cret"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (f"postgresql://me:{PASSWORD}@127.0.0.1:1/db", "Connection refused"),
        (f"postgresql://127.0.0.1:1/db?user=me&password={PASSWORD}", "Connection refused"),
        (f"postgresql://me:{PASSWORD}@127.0.0.1:1/db?{PASSWORD}=1", "invalid connection option"),
        (f"postgresql://me:{PASSWORD}@host:port/db", "the URL is not valid"),
        (f"postgresql://me:x@{PASSWORD}@host/db", "write an @ in the password as %40"),
        (f"oracle://me:{PASSWORD}@host/db", " is not installed; pip install its package"),
        (f"nothing://me:{PASSWORD}@host/db", "no SQLAlchemy dialect nothing is installed"),
        ("no-url", "the URL is not valid"),
        ("sqlite://", "no table usage_records_daily in schema tap_twilio_usage or in the"),
    ],
)
def test_a_wrong_url_ends_in_one_line_without_its_password(
    url: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = failure(capsys, "--url", url)
    assert said.startswith("report: ")
    assert why in said
    assert PASSWORD not in said


def test_a_missing_file_ends_in_one_line_and_is_not_created(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "does not exist" in failure(capsys, "--url", f"duckdb:///{tmp_path}/no.duckdb")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("password", ["pa%zzword", "secret%", "%2secret"])
def test_a_percent_sign_in_the_password_is_explained(
    password: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = failure(capsys, "--url", f"postgresql://me:{password}@127.0.0.1:1/db")
    assert "write a % in the password as %25" in said
    assert password not in said
    right = password.replace("%", "%25")
    said = failure(capsys, "--url", f"postgresql://me:{right}@127.0.0.1:1/db")
    assert "Connection refused" in said
    assert password not in said
    assert right not in said


def test_a_day_that_is_not_valid_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--since", "2026-02-30"])
    expected = "argument --since: '2026-02-30' is not a valid date; use YYYY-MM-DD"
    assert capsys.readouterr().err.splitlines()[-1].endswith(expected)


def test_a_file_that_cannot_be_written_ends_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = duckdb_of(ROWS, tmp_path / "w.duckdb")
    said = failure(capsys, "--url", url, "--output", str(tmp_path / "no" / "report.html"))
    assert said.endswith("report.html cannot be written: No such file or directory")
    said = failure(capsys, "--url", url, "--csv", str(tmp_path / "w.duckdb"))
    assert said.endswith("w.duckdb cannot be written: File exists")


def test_the_url_can_come_from_the_environment(tmp_path: Path) -> None:
    url = duckdb_of(ROWS, tmp_path / "w.duckdb")
    output = tmp_path / "report.html"
    done = run("--output", str(output), TAP_TWILIO_USAGE_REPORT_URL=url)
    assert (done.returncode, done.stdout) == (
        0,
        f"report: written to {output}; open it in a browser\n",
    )
    assert "report: reading the days of each account\n" in done.stderr  # its progress
    none = run()
    assert none.returncode == 1
    assert none.stderr == (
        "report: no warehouse is given; use --url, or set TARGET_POSTGRES_DATABASE or "
        "TARGET_DUCKDB_PATH\n"
    )


def test_without_a_url_it_is_the_database_of_the_target(tmp_path: Path) -> None:
    file = tmp_path / "w.duckdb"
    duckdb_of(ROWS, file)
    output = tmp_path / "report.html"
    assert run("--output", str(output), TARGET_DUCKDB_PATH=str(file)).returncode == 0
    assert "from DuckDB file w.duckdb" in text_of(output.read_text())


PASSWORDS = ("p@ss", "100%", "%41", "a/b?c#d:e", "ü {}", "${HOME}", "'\"")


def test_a_password_is_taken_as_it_is_written(database: str, tmp_path: Path) -> None:
    postgres_of(ROWS, database)
    given = settings_of(database)
    for password in PASSWORDS:
        url = address(None, {**given, "TARGET_POSTGRES_PASSWORD": password})
        assert url.password == password
        assert password not in place(url)
        assert password not in url.render_as_string()
    given["TARGET_POSTGRES_PASSWORD"] = "p@s%41s"
    done = run("--output", str(tmp_path / "r.html"), **given)
    assert done.returncode == 0, done.stderr
    refused = run(**{**given, "TARGET_POSTGRES_PORT": "1"})
    assert "Connection refused" in refused.stderr
    assert "p@s%41s" not in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.nightly
def test_an_exported_variable_comes_before_env_as_for_the_target(
    meltano: Meltano, tmp_path: Path
) -> None:
    good, output = tmp_path / "good.duckdb", tmp_path / "page.html"
    duckdb_of(ROWS, good)
    env = meltano.project / ".env"
    env.write_text("TARGET_DUCKDB_PATH=no.duckdb\nTARGET_POSTGRES_DATABASE=\n")
    try:
        more = {"TARGET_POSTGRES_DATABASE": "", "TARGET_DUCKDB_PATH": str(good)}
        with meltano.call("invoke", "report", f"--output={output}", **more) as process:
            log, _ = process.communicate(timeout=300)
    finally:
        env.unlink()
    assert process.returncode == 0, log
    assert "from DuckDB file good.duckdb" in text_of(output.read_text())


def test_the_url_is_before_the_settings_of_a_target() -> None:
    postgres = {"TARGET_POSTGRES_DATABASE": "db", "TARGET_POSTGRES_USER": "me"}
    settings = {"TAP_TWILIO_USAGE_REPORT_URL": "duckdb:///b.duckdb", "TARGET_DUCKDB_PATH": "c"}
    found = [
        address("duckdb:///a.duckdb", {**settings, **postgres}),
        address(None, {**settings, **postgres}),
        address(None, {"TARGET_DUCKDB_PATH": "c.duckdb", **postgres}),
        address(None, {"TARGET_DUCKDB_PATH": "c.duckdb"}),
    ]
    assert [place(url) for url in found] == [
        "DuckDB file a.duckdb",
        "DuckDB file b.duckdb",
        "PostgreSQL localhost/db",
        "DuckDB file c.duckdb",
    ]
    with pytest.raises(ReportError, match="no warehouse is given"):
        address(None, {"TARGET_POSTGRES_DATABASE": ""})
    with pytest.raises(ReportError, match="TARGET_POSTGRES_PORT is 'x', which is not a number"):
        address(None, {**postgres, "TARGET_POSTGRES_PORT": "x"})


@pytest.mark.parametrize("package", ["duckdb_engine", nightly("jinja2"), "sqlalchemy"])
def test_without_the_extra_one_line_says_how_to_install_it(package: str, tmp_path: Path) -> None:
    url = duckdb_of(ROWS, tmp_path / "w.duckdb")
    done = run("--url", url, code=f"sys.modules['{package}'] = None; ")
    assert done.returncode == 1
    wanted = "pip install 'tap-twilio-usage[report]'"
    assert done.stderr == f"report: {package} is not installed; {wanted}\n"


def test_the_tap_does_not_need_the_report() -> None:
    code = "import sys, tap_twilio_usage.tap; print([m for m in sys.modules if 'report' in m])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "tap_twilio_usage.report" not in done.stdout


def test_every_table_is_written_as_csv_with_exact_amounts(tmp_path: Path) -> None:
    rows = [row for day in days("2026-01-01", "2026-02-03") for row in a_day(day, "0.123456", "2")]
    written(duckdb_of(rows, tmp_path / "w.duckdb"), tmp_path, "--csv", str(tmp_path / "a" / "b"))
    found = {path.name for path in (tmp_path / "a" / "b").iterdir()}
    assert {"days.csv", "services.csv", "categories.csv", "accounts.csv", "proof.csv"} <= found
    with (tmp_path / "a" / "b" / "services.csv").open(newline="") as file:
        head, *services = csv.reader(file)
    assert head == ["Service", "2026-01", "2026-02", "Sum", "Share"]
    assert services[0] == ["Voice", "62.00", "6.00", "68.00", "94.19"]
    assert services[1][:4] == ["SMS & MMS", "3.827136", "0.370368", "4.197504"]
    assert sum(Decimal(row[3]) for row in services) == Decimal("2.123457") * 34


def test_no_cell_of_a_csv_is_a_formula(tmp_path: Path) -> None:
    rows = [*a_day("2026-01-01", "1"), charge("2026-01-01", "=cmd()", "0", "1")]
    written(duckdb_of(rows, tmp_path / "w.duckdb"), tmp_path, "--csv", str(tmp_path))
    assert "\n'=cmd()," in (tmp_path / "categories.csv").read_text()


FOCUS = (
    'CREATE TABLE focus_cost_and_usage AS SELECT amount::{number} AS "{cost}", {start} AS "{day}", '
    '\'AC\' AS "{account}", category AS "{category}", \'\' AS "ServiceName" FROM (VALUES '
    "('0.000000000001', 'b', '2026-01-02'), ('-1234567890.5', 'a', '2026-01-02'), "
    "('1', 'a', '2026-01-01')) AS v(amount, category, day)"
)
FROM_TARGET = {"cost": "BilledCost", "day": "ChargePeriodStart"}
FROM_TARGET |= {"account": "x_AccountSid", "category": "x_Category"}
FROM_DLT = {"cost": "billed_cost", "day": "charge_period_start"}
FROM_DLT |= {"account": "x_account_sid", "category": "x_category"}


@pytest.mark.parametrize(
    "stored",
    [
        {**FROM_TARGET, "number": "varchar", "start": "day || 'T00:00:00+00:00'"},
        {**FROM_DLT, "number": "decimal(38, 12)", "start": "(day || ' 00:00:00+00')::timestamptz"},
    ],
    ids=["target", "dlt"],
)
def test_a_focus_file_has_the_columns_in_order_and_exact_amounts(
    stored: dict[str, str], tmp_path: Path
) -> None:
    url = duckdb_of(ROWS, tmp_path / "w.duckdb")
    with duckdb.connect(str(tmp_path / "w.duckdb")) as connection:
        connection.execute(FOCUS.format(**stored))
    written(url, tmp_path, "--focus", str(tmp_path / "focus.csv"))
    written(url, tmp_path, "--focus", str(tmp_path / "focus.parquet"))
    with (tmp_path / "focus.csv").open(newline="") as file:
        rows = [*csv.DictReader(file)]
    assert [*rows[0]] == [
        *("BilledCost", "ChargePeriodStart", "ServiceName", "x_AccountSid", "x_Category")
    ]
    assert [(row["ChargePeriodStart"], row["x_Category"], row["BilledCost"]) for row in rows] == [
        ("2026-01-01T00:00:00Z", "a", "1"),
        ("2026-01-02T00:00:00Z", "a", "-1234567890.5"),
        ("2026-01-02T00:00:00Z", "b", "0.000000000001"),
    ]
    parquet = duckdb.read_parquet(str(tmp_path / "focus.parquet"))
    assert parquet.columns == [*rows[0]]
    kinds = dict(zip(parquet.columns, map(str, parquet.types), strict=True))
    assert kinds["BilledCost"] == "DECIMAL(38,12)"
    assert kinds["ChargePeriodStart"] == "TIMESTAMP WITH TIME ZONE"
    amounts = parquet.project('"BilledCost"').fetchall()
    assert amounts == [(Decimal(1),), (Decimal("-1234567890.5"),), (Decimal("1e-12"),)]
    written(url, tmp_path, "--focus", str(tmp_path / "f.csv"), "--since", "2026-01-02")
    assert len((tmp_path / "f.csv").read_text().splitlines()) == 3


def test_a_focus_file_that_cannot_be_made_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = duckdb_of(ROWS, tmp_path / "w.duckdb")
    said = failure(capsys, "--url", url, "--focus", str(tmp_path / "f.csv"))
    assert said.endswith(
        "no table focus_cost_and_usage; load it with the setting focus, or omit --focus"
    )
    said = failure(capsys, "--url", url, "--focus", "f.xlsx")
    assert said == "report: f.xlsx: the name has to end in .csv or .parquet"
