"""The dbt package as a user runs it: with Meltano, in PostgreSQL and DuckDB, checked with SQL."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
import yaml

from sandbox import AUTH_TOKEN, CLIENT_SECRET, MAIN_SID, Company, Server
from sandbox.catalogue import NEW_CATEGORIES, TOTAL
from tap_twilio_usage.alerts.__main__ import main as alerts
from tap_twilio_usage.money.hierarchy import UNKNOWN_SERVICE, normalise, shipped
from tests.canary import leaks
from tests.conftest import (
    DAYS,
    FIRST,
    LAST,
    ROOT,
    Meltano,
    Query,
    Rows,
    blocks,
    everything,
    query_and_commit,
)

STREAMS = (
    '["usage_records_daily.*", "categories.*", "accounts.*", "billing_group_records.*", '
    '"usage_reconciliation.*"]'
)
SUBACCOUNT, SUSPENDED = "AC" + "2".zfill(32), "AC" + "3".zfill(32)
Key = tuple[object, ...]
# By their columns before the cost.
COSTS = {"cost_by_day_and_service": 3, "cost_by_account_and_month": 4}


def build(meltano: Meltano, *tasks: str, **more: str) -> tuple[int, str]:
    """Return the exit code and the log of `meltano run`."""
    with meltano.call("run", *tasks, **more) as process:
        log, _ = process.communicate(timeout=300)
    assert not leaks(log, (AUTH_TOKEN, CLIENT_SECRET))
    return process.returncode, log


def service(category: str) -> str:
    known = shipped().categories.get(normalise(category))
    return known.service if known else UNKNOWN_SERVICE


def costs(query: Query, mart: str) -> dict[Key, Decimal]:
    """Return the costs of a mart that are not zero, by the other columns."""
    rows, n = query(f"SELECT * FROM twilio_usage.{mart}"), COSTS[mart]
    return {tuple(row[:n]): row[n] for row in rows if row[n]}


def check_marts(query: Query, company: Company, names: dict[str, str | None]) -> None:
    """Check that every mart equals the company's spend exactly; `names` are its accounts."""
    one = len(names) == 1
    by_service: defaultdict[Key, Decimal] = defaultdict(Decimal)
    by_month: defaultdict[Key, Decimal] = defaultdict(Decimal)
    days: dict[Key, Key] = {}
    for day in DAYS:
        for sid, name in names.items():
            truth = company.truth(day, sid, include_subaccounts=one)
            for category, price in truth.items():
                by_service[day, service(category), "USD"] += price
            total = sum(truth.values(), Decimal(0))
            by_month[sid, name, day.replace(day=1), "USD"] += total
            unknown = [
                row
                for row in company.rows(day, account=sid, include_subaccounts=one)
                if row.category in NEW_CATEGORIES and row.price
            ]
            days[sid, day, "USD"] = (
                total,
                total - truth.get(TOTAL, 0),
                truth.get(TOTAL, 0),
                len(unknown),
                sum(truth.get(category, 0) for category in NEW_CATEGORIES),
            )
    assert costs(query, "cost_by_day_and_service") == {k: v for k, v in by_service.items() if v}
    assert costs(query, "cost_by_account_and_month") == {k: v for k, v in by_month.items() if v}
    check_costs_of_categories(query, company, names)
    found = query("SELECT * FROM twilio_usage.reconciliation")
    assert {row[:3]: row[3:] for row in found if row[3]} == {k: v for k, v in days.items() if v[0]}
    assert any(row[6] for row in found)  # a category that the tap does not know
    assert any(row[5] for row in found)  # spend without a category


def check_costs_of_categories(query: Query, company: Company, names: dict[str, str | None]) -> None:
    """Check the costs by category and day, without rules for their owners, and those of a unit."""
    one = len(names) == 1
    truth = {
        (sid, name, day, service(category), category, "USD"): price
        for sid, name in names.items()
        for day in DAYS
        for category, price in company.truth(day, sid, include_subaccounts=one).items()
        if price
    }
    found = query("SELECT * FROM twilio_usage.cost_by_day")
    assert {row[:6]: row[6] for row in found if row[6]} == truth
    found = query("SELECT * FROM twilio_usage.allocated_cost")
    assert {(*row[:6], row[8]) for row in found} == {
        ("Unallocated", None, sid, day, product, category, price)
        for (sid, _, day, product, category, _), price in truth.items()
    }
    by_month: defaultdict[Key, Decimal] = defaultdict(Decimal)
    for (sid, _, day, _, category, _), price in truth.items():
        by_month[sid, category, day.replace(day=1)] += price
    found = query("SELECT * FROM twilio_usage.unit_costs")
    assert {row[:3]: row[5] for row in found if row[5]} == by_month
    first, second = FIRST.replace(day=1), LAST.replace(day=1)
    changes = {row[:3]: row[8:] for row in found}
    for (sid, category, month), (change, from_price, from_volume) in changes.items():
        if month == second:
            before = by_month.get((sid, category, first), 0)
            assert change == by_month.get((sid, category, second), 0) - before
            assert from_price + from_volume == change


def check_months(query: Query, company: Company, *sids: str) -> None:
    """Check that each month has the days that were loaded, their sum, and Twilio's own total."""
    one = len(sids) == 1
    expected = []
    for sid in sids:
        for month, status in (
            (FIRST.replace(day=1), "partial"),
            (LAST.replace(day=1), "reconciled"),
        ):
            all_days = (month + timedelta(days=n) for n in range(31))
            begun = [day for day in all_days if day <= LAST and day.month == month.month]
            sums = {day: company.total(day, sid, include_subaccounts=one) for day in begun}
            loaded = [day for day in begun if day in DAYS]
            daily, monthly = sum(sums[day] for day in loaded), sum(sums.values())
            is_used = bool(monthly)
            expected.append(
                (
                    *(sid, month, "USD", len(begun), len(loaded) if is_used else 0),
                    *(daily, monthly, None, monthly - daily, None),
                    status if is_used else "reconciled",
                )
            )
    found = query("SELECT * FROM twilio_usage.reconciliation_by_month ORDER BY account_sid, month")
    assert found == expected


def described() -> set[tuple[str, str]]:
    """Return the models and their columns that have a description."""
    files = [*(ROOT / "dbt").rglob("models/*/*.yml"), *(ROOT / "dbt").glob("seeds/*.yml")]
    return {
        (model["name"], column["name"])
        for described in map(yaml.safe_load, map(Path.read_text, files))
        for model in (*described.get("models", ()), *described.get("seeds", ()))
        for column in model["columns"]
        if model.get("description") and column.get("description")
    }


def check_alerts(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The marts have what the command reads."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        alerts([f"--url={database}", "--days=0"], LAST)
    assert ended.value.code == 3
    out, err = capsys.readouterr()
    assert err == ""
    months = [
        line.split(": ")[:2] for line in out.splitlines() if re.match("[0-9]{4}-[0-9]{2} ", line)
    ]
    names = {MAIN_SID: "New", SUBACCOUNT: "Sandbox Subaccount 1"}
    assert months == [
        [f"{month} {names[sid]} ({sid})", status]
        for month, sid, status in (
            ("2025-08", SUBACCOUNT, "days_missing"),
            ("2025-09", MAIN_SID, "different"),
            ("2025-09", SUBACCOUNT, "days_missing"),
        )
    ]


def test_the_job_builds_exact_marts_and_fails_on_a_broken_day(
    meltano: Meltano, query: Query, company: Company, capsys: pytest.CaptureFixture[str]
) -> None:
    company.today = LAST
    with Server(company) as server:
        settings = {
            **everything(server),
            "TAP_TWILIO_USAGE__SELECT": STREAMS,
            "TAP_TWILIO_USAGE_SUBACCOUNTS": "separate",
            "TAP_TWILIO_USAGE_API_URL": server.url,
        }
        code, log = build(meltano, "twilio-usage-to-marts", **settings)
    assert code == 0, log
    check_marts(query, company, {a.sid: a.friendly_name for a in company.accounts()})
    check_months(query, company, *(a.sid for a in company.accounts()))
    by_owner, unallocated, changes = map(query, blocks(ROOT / "docs" / "finops.md", "sql"))
    spent = sum(map(company.total, DAYS))
    assert sum(row[-1] for row in by_owner) == sum(row[-1] for row in unallocated) == spent
    assert all(change == volume + price for *_, change, volume, price in changes)
    assert query(
        "SELECT start_date, SUM(price), MIN(price_unit) FROM "
        "twilio_usage.stg_twilio_usage__billing_group_records GROUP BY 1 ORDER BY 1"
    ) == [(day, company.total(day), "USD") for day in DAYS]
    assert described() == set(
        query(
            "SELECT table_name, column_name FROM information_schema.columns "
            "WHERE table_schema = 'twilio_usage'"
        )
    )

    query_and_commit(
        meltano,
        "UPDATE tap_twilio_usage.usage_records_daily "
        "SET deduplicated_price = deduplicated_price + 0.000000000001, as_of = NULL "
        f"WHERE account_sid = '{MAIN_SID}' AND start_date = '{LAST}' AND category = 'totalprice'",
    )
    query_and_commit(
        meltano,
        "DELETE FROM tap_twilio_usage.usage_records_daily "
        f"WHERE account_sid = '{MAIN_SID}' AND start_date = '{FIRST}' AND category = 'totalprice'",
    )
    query_and_commit(
        meltano,
        "DELETE FROM tap_twilio_usage.usage_records_daily "
        f"WHERE account_sid = '{SUBACCOUNT}' AND start_date = '{LAST - timedelta(days=5)}'",
    )
    # An account that was last read in the month, before Twilio had the last day.
    query_and_commit(
        meltano,
        f"UPDATE tap_twilio_usage.usage_reconciliation SET as_of = '{LAST}' "
        f"WHERE account_sid = '{SUSPENDED}' AND start_date = '{LAST.replace(day=1)}'",
    )
    query_and_commit(
        meltano,
        "DELETE FROM tap_twilio_usage.usage_records_daily "
        f"WHERE account_sid = '{SUSPENDED}' AND start_date = '{LAST}'",
    )
    # Twilio read it in the month: its last day is loaded, so an earlier day is not excused.
    query_and_commit(
        meltano,
        f"UPDATE tap_twilio_usage.usage_reconciliation SET as_of = '{LAST}' "
        f"WHERE account_sid = '{SUBACCOUNT}' AND start_date = '{LAST.replace(day=1)}'",
    )
    # A whole month, also if it is the first one.
    query_and_commit(
        meltano,
        "DELETE FROM tap_twilio_usage.usage_records_daily "
        f"WHERE account_sid = '{SUBACCOUNT}' AND start_date < '{LAST.replace(day=1)}'",
    )
    query_and_commit(
        meltano,
        "UPDATE tap_twilio_usage.accounts SET friendly_name = 'New' "
        f"WHERE account_sid = '{MAIN_SID}'",
    )
    code, log = build(meltano, "dbt-postgres:build")
    assert code == 1
    assert query(  # the second build takes in what has changed
        "SELECT built.cost - records.deduplicated_price, COUNT(*) "
        "FROM twilio_usage.cost_by_day AS built "
        "JOIN tap_twilio_usage.usage_records_daily AS records "
        "USING (account_sid, start_date, category) "
        f"WHERE built.friendly_name = 'New' OR account_sid <> '{MAIN_SID}' GROUP BY 1"
    ) == query("SELECT 0, COUNT(*) FROM tap_twilio_usage.usage_records_daily")
    assert "FAIL 2 every_day_is_loaded" in log
    assert "WARN 1 every_month_reconciles" in log
    assert query(
        "SELECT account_sid, days_expected - days_loaded, status "
        "FROM twilio_usage.reconciliation_by_month "
        "WHERE status NOT IN ('partial', 'reconciled') ORDER BY 1, 2"
    ) == [
        (MAIN_SID, 0, "different"),
        (SUBACCOUNT, 1, "days_missing"),
        (SUBACCOUNT, 31, "days_missing"),
        (SUSPENDED, 1, "open"),
    ]
    check_alerts(meltano.database, capsys)
    for test in ("every_day_reconciles", *(f"{mart}_is_the_total" for mart in COSTS)):
        assert f"FAIL 2 {test}" in log


def of_package(model: Path) -> str:
    """Return a model's SQL that reads temporary tables with the names of the models."""
    return re.sub(r'"postgres"."twilio_usage"."(\w+)"', r"\1", model.read_text())


Status = Callable[..., str]


@pytest.fixture
def status_of_june(compiled: Path, database: str) -> Status:
    """Return a function that runs the model on days that cost a dollar each, up to the `last`."""
    model = of_package(compiled / "models" / "marts" / "reconciliation_by_month.sql")

    def run(
        *,
        last: int = 30,
        expected: int | None = 30,
        total: str | None = "30",
        read_on: str = "2026-07-02",
        since: date = date(2026, 5, 31),
    ) -> str:
        with psycopg.connect(database) as connection:
            connection.execute(
                "CREATE TEMP TABLE int_twilio_usage__day_totals ON COMMIT DROP AS "
                "SELECT 'AC1' AS account_sid, 'USD' AS price_unit, %s::DATE + n AS start_date, "
                "0.75 AS attributed, 0.25::DECIMAL(38, 12) AS unattributed "
                "FROM generate_series(0, %s::INT) AS n",
                [since, last - 1 + (date(2026, 6, 1) - since).days],
            )
            connection.execute(
                "CREATE TEMP TABLE stg_twilio_usage__usage_reconciliation ON COMMIT DROP AS "
                "SELECT 'AC1' AS account_sid, 'USD' AS price_unit, "
                "DATE '2026-06-01' AS start_date, DATE '2026-06-30' AS end_date, "
                "%s::INT AS days_expected, %s::DECIMAL(38, 12) AS monthly_total, "
                "%s::TIMESTAMP AS as_of",
                [expected, total, read_on],
            )
            connection.execute(
                "CREATE TEMP TABLE int_twilio_usage__invoice_months ON COMMIT DROP AS "
                "SELECT 'AC2' AS account_sid, NULL::DATE AS month, 'USD' AS price_unit, "
                "0::DECIMAL AS invoice_total"
            )
            if expected is None:
                connection.execute("DELETE FROM stg_twilio_usage__usage_reconciliation")
            found = connection.execute(
                f"SELECT status FROM ({model}\n) AS model WHERE month = DATE '2026-06-01'"
            ).fetchall()
        ((status,),) = found
        assert isinstance(status, str)
        return status

    return run


def test_each_status_of_a_month(status_of_june: Status) -> None:
    assert status_of_june() == "reconciled"
    assert status_of_june(total="30.000000000001") == "different"
    assert status_of_june(total=None) == "month_missing"
    assert status_of_june(expected=None) == "not_compared"
    assert status_of_june(last=29) == "days_missing"
    assert status_of_june(last=29, total=None) == "days_missing"
    assert status_of_june(since=date(2026, 6, 5)) == "partial"
    assert status_of_june(since=date(2026, 6, 5), last=29) == "days_missing"


def test_the_last_day_of_a_month_that_is_not_over_may_be_missing(status_of_june: Status) -> None:
    for last, status in [(20, "open"), (19, "open"), (18, "days_missing")]:
        found = status_of_june(last=last, expected=20, total="20", read_on="2026-06-20")
        assert found == status


RULES = """
sms      |  1 |     |       | sms*    | Marketing | 100 | 1    |            |
sms      |  1 |     |       | sms*    | Sales     | 200 | 1    |            |
sms      |  1 |     |       | sms*    | Ops       |     | 1    |            |
calls    |  2 | AC2 | Voice |         | Support   | 300 |      | 2026-06-02 | 2026-06-02
any_name |  3 |     |       | a_c*    | Literal   |     |      |            |
never    |  0 |     |       |         | Nobody    |     | 0    |            |
last     |    | AC1 |       |         | Platform  |     | 2    |            |
last     |    | AC1 |       |         | Reserve   |     | 0.5  |            |
"""


@pytest.fixture
def allocated(compiled: Path, database: str) -> Callable[..., list[tuple[Any, ...]]]:
    """Return a function that runs the model on costs: account, day of June, category and cost."""
    models = compiled / "models"
    rules = [[part.strip() or None for part in line.split("|")] for line in RULES.split("\n")[1:-1]]
    columns = (
        "rule_id TEXT, priority INT, account_sid TEXT, service TEXT, category TEXT, owner TEXT, "
        "cost_center TEXT, weight DECIMAL(18, 6), valid_from DATE, valid_to DATE"
    )

    def run(*costs: tuple[str, int, str, str]) -> list[tuple[Any, ...]]:
        with psycopg.connect(database) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE TEMP TABLE allocation_rules ({columns}) ON COMMIT DROP")
            values = ", ".join(["%s"] * len(rules[0]))
            cursor.executemany(f"INSERT INTO allocation_rules VALUES ({values})", rules)
            days = {(sid, day) for sid, day, *_ in costs}
            cursor.execute(
                "CREATE TEMP TABLE int_twilio_usage__loaded_days (account_sid TEXT, "
                "start_date DATE, version BIGINT) ON COMMIT DROP"
            )
            cursor.executemany(
                "INSERT INTO int_twilio_usage__loaded_days VALUES (%s, %s, 1)",
                [(sid, date(2026, 6, day)) for sid, day in days],
            )
            names = ("int_twilio_usage__allocation_rules", "int_twilio_usage__rule_matches")
            cursor.execute(
                "CREATE TEMP TABLE cost_by_day (account_sid TEXT, start_date DATE, service TEXT, "
                "category TEXT, price_unit TEXT, cost DECIMAL(38, 12)) ON COMMIT DROP"
            )
            cursor.executemany(
                "INSERT INTO cost_by_day VALUES (%s, %s, 'Voice', %s, 'USD', %s)",
                [(sid, date(2026, 6, day), *rest) for sid, day, *rest in costs],
            )
            cursor.execute(
                "CREATE TEMP TABLE int_twilio_usage__cost_by_month ON COMMIT DROP AS "
                "SELECT account_sid, service, category FROM cost_by_day"
            )
            for name in names:
                own = of_package(models / "intermediate" / f"{name}.sql")
                cursor.execute(f"CREATE TEMP TABLE {name} ON COMMIT DROP AS {own}")
            model = of_package(models / "marts" / "allocated_cost.sql")
            return cursor.execute(
                f"SELECT owner, cost_center, rule_id, cost FROM ({model}\n) AS model "
                "ORDER BY account_sid, start_date, category, owner"
            ).fetchall()

    return run


Allocated = Callable[..., list[tuple[Any, ...]]]


@pytest.mark.parametrize(
    ("cost", "shares"),
    [
        (("AC9", 1, "SMS-outbound", "9"), ["Marketing 3", "Ops 3", "Sales 3"]),
        (("AC2", 1, "calls", "5"), ["Unallocated 5"]),
        (("AC2", 2, "calls", "5"), ["Support 5"]),
        (("AC2", 3, "calls", "5"), ["Unallocated 5"]),
        (("AC9", 1, "a_c-d", "5"), ["Literal 5"]),
        (("AC9", 1, "abc-d", "5"), ["Unallocated 5"]),  # _ is no wildcard
        (("AC1", 1, "calls", "-5"), ["Platform -4", "Reserve -1"]),
        (("AC9", 1, "mms", "0"), []),
    ],
)
def test_a_cost_goes_to_the_owners_of_the_first_rule(
    allocated: Allocated, cost: tuple[str, int, str, str], shares: list[str]
) -> None:
    assert [f"{owner} {share.normalize():f}" for owner, _, _, share in allocated(cost)] == shares


@pytest.mark.parametrize(
    "cost", ["0.000000000001", "1", "-0.1", "12345678901.234567890123", "0.01", "7.333333333333"]
)
def test_shares_of_a_cost_add_up_to_it(allocated: Allocated, cost: str) -> None:
    found = allocated(("AC9", 1, "sms", cost), ("AC1", 2, "calls", cost))
    platform, reserve, *thirds = (row[-1] for row in found)
    assert sum(thirds) == platform + reserve == Decimal(cost)
    assert len({row[-1] for row in found[3:]}) == 1
    for share, part in ((thirds[1], 3), (reserve, 5)):
        off = abs(share * part - Decimal(cost))
        assert off <= max(abs(Decimal(cost)) / 10**14, Decimal("1e-11"))
    assert found[2][:3] == ("Marketing", "100", "sms")


def test_a_cast_that_rounds_fails_the_test_of_amounts(compiled: Path, database: str) -> None:
    exact = (compiled / "tests" / "amounts_are_exact.sql").read_text()
    with psycopg.connect(database) as postgres, duckdb.connect() as duck:
        for execute in (postgres.execute, duck.execute):
            assert execute(exact).fetchall() == []
            for broken in ("decimal(38, 6)", "decimal(38, 0)", "double precision"):
                query = exact.replace("decimal(38, 12)", broken)
                assert query != exact
                assert execute(query).fetchall(), broken
        assert duck.execute(exact.replace("decimal(38, 12)", "decimal")).fetchall()


def test_amounts_are_exact_however_they_arrive(compiled: Path, database: str) -> None:
    staging = compiled / "models" / "staging" / "stg_twilio_usage__usage_records_daily.sql"
    (exact,) = re.findall(r"(cast\(.*\)) as price,", staging.read_text())
    amount = Decimal("1234567890.123456")  # more than 15 digits
    with psycopg.connect(database) as postgres, duckdb.connect() as duck:
        for execute in (postgres.execute, duck.execute):
            for kind in ("double precision", "decimal(38, 12)", "varchar"):
                arrived = f"(SELECT CAST('{amount}' AS {kind}) AS price) AS records"
                assert execute(f"SELECT {exact} FROM {arrived}").fetchall() == [(amount,)]


ONE_MOMENT = (
    ("TIMESTAMPTZ", "2026-07-01 22:30:00+00"),
    ("TIMESTAMPTZ", "2026-07-02 00:30:00+02"),
    ("TIMESTAMP", "2026-07-01 22:30:00"),
    ("VARCHAR", "2026-07-01T22:30:00Z"),
    ("VARCHAR", "2026-07-01T20:30:00-02:00"),
    ("VARCHAR", "2026-07-01 22:30:00.000"),
)


def test_a_moment_is_utc_in_every_time_zone(compiled: Path, database: str) -> None:
    staging = compiled / "models" / "staging" / "stg_twilio_usage__usage_records_daily.sql"
    pattern = r"(?s)boolean\) as includes_subaccounts,(.*) as as_of\s+from"
    (utc,) = re.findall(pattern, staging.read_text())
    for zone in ("UTC", "Asia/Tokyo", "America/New_York"):
        with psycopg.connect(database) as postgres, duckdb.connect() as duck:
            postgres.execute(f"SET TIME ZONE '{zone}'")
            duck.execute(f"SET TimeZone = '{zone}'")
            for execute in (postgres.execute, duck.execute):
                for kind, written in ONE_MOMENT:
                    arrived = f"(SELECT CAST('{written}' AS {kind}) AS as_of) AS records"
                    ((moment,),) = execute(f"SELECT {utc} FROM {arrived}").fetchall()
                    assert f"{moment}" == "2026-07-01 22:30:00", (zone, kind, written)


@pytest.mark.nightly
def test_duckdb_marts_are_exact_without_optional_streams(
    meltano: Meltano, company: Company
) -> None:
    path = meltano.environment["TARGET_DUCKDB_PATH"] = "output/dbt.duckdb"
    warehouse = meltano.project / path
    with Server(company) as server:
        tasks = ("tap-twilio-usage", "target-duckdb", "dbt-duckdb:build")
        code, log = build(meltano, *tasks, TAP_TWILIO_USAGE_API_URL=server.url)
    assert code == 0, log

    def query(statement: str) -> Rows:
        with duckdb.connect(warehouse, read_only=True) as connection:
            return connection.execute(statement).fetchall()

    check_marts(query, company, {MAIN_SID: None})
    check_months(query, company, MAIN_SID)
    assert query("SELECT * FROM twilio_usage.stg_twilio_usage__billing_group_records") == []

    in_euros: dict[object, object] = {"USD": "EUR", MAIN_SID: "AC2"}
    dollars = {mart: costs(query, mart) for mart in COSTS}
    with duckdb.connect(warehouse) as connection:
        # An account that pays in euros; Twilio sends the currency with some rows only.
        connection.execute(
            "INSERT INTO tap_twilio_usage.usage_records_daily BY NAME SELECT * REPLACE ("
            "'AC2' AS account_sid, IF(category > 'p', 'eur', NULL) AS price_unit) "
            "FROM tap_twilio_usage.usage_records_daily"
        )
        connection.execute("DROP TABLE tap_twilio_usage.usage_reconciliation")
    code, log = build(meltano, "dbt-duckdb:build")
    assert code == 0, log
    for mart in COSTS:
        euros = {
            tuple(in_euros.get(part, part) for part in key): cost
            for key, cost in dollars[mart].items()
        }
        assert costs(query, mart) == {**dollars[mart], **euros}
    assert query(
        "SELECT DISTINCT days_expected, monthly_total, status "
        "FROM twilio_usage.reconciliation_by_month"
    ) == [(None, None, "not_compared")]
    take_into_a_project_of_ones_own(meltano)


@pytest.mark.nightly
def test_with_billing_groups_alone_the_marts_are_built_and_empty(
    meltano: Meltano, query: Query, database: str
) -> None:
    code, log = build(meltano, "dbt-postgres:build")
    assert code != 0, log  # a schema without any table is a mistake
    with psycopg.connect(database) as connection:
        connection.execute(
            "CREATE SCHEMA tap_twilio_usage; CREATE TABLE tap_twilio_usage.billing_group_records "
            "AS SELECT 'group' AS billing_group_id, 'messaging' AS product_category, "
            "'SMS' AS product_name, DATE '2026-01-01' AS start_date, "
            "DATE '2026-01-01' AS end_date, 1.5 AS usage, 'segments' AS usage_unit, "
            "2.5 AS price, 'usd' AS price_unit, "
            "DATE '2026-01-02' AS as_of"
        )
    code, log = build(meltano, "dbt-postgres:build")
    assert code == 0, log
    for mart in ("cost_by_day", "allocated_cost", "forecast_by_month", "reconciliation_by_month"):
        assert query(f"SELECT * FROM twilio_usage.{mart}") == []
    assert query("SELECT price FROM twilio_usage.stg_twilio_usage__billing_group_records") == [
        (Decimal("2.5"),)
    ]


def take_into_a_project_of_ones_own(meltano: Meltano) -> None:
    """Follow docs/warehouse.md; test_dbt_package.py takes the package from git."""
    _, names, stored = blocks(ROOT / "docs" / "warehouse.md", "yaml")
    own = meltano.project / "own"
    own.mkdir()
    (own / "packages.yml").write_text("packages: [{local: ../dbt}]")
    project = ("name: own", "profile: twilio_usage", names, stored)
    (own / "dbt_project.yml").write_text("\n".join(project))
    with duckdb.connect(meltano.project / meltano.environment["TARGET_DUCKDB_PATH"]) as warehouse:
        warehouse.execute("ALTER TABLE tap_twilio_usage.categories RENAME TO twilio_categories")
    for command in ("deps", "build"):
        with meltano.call("invoke", "dbt-duckdb", command, "--project-dir=own") as process:
            log, _ = process.communicate(timeout=300)
        assert process.returncode == 0, log
    assert "Completed successfully" in log
    assert "sql table model twilio_usage.stg_twilio_usage__usage_records_daily" in log
