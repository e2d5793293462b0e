"""Later builds of the dbt package: what has changed is taken in, as a first build would."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.charges import TABLES
from tests.conftest import QUIET_DBT, ROOT, address, clean_environment, install, once_for_all
from tests.test_dbt_charges import NEEDS

FIRST, LAST = date(2025, 5, 20), date(2025, 8, 31)
DAY = timedelta(days=1)
RAW = "tap_twilio_usage.usage_records_daily"
ACCOUNTS = (
    "account_sid TEXT, friendly_name TEXT, status TEXT, type TEXT, owner_account_sid TEXT, "
    "date_created TIMESTAMP, date_updated TIMESTAMP"
)
CATEGORIES = (
    "INSERT INTO tap_twilio_usage.categories (category, parent_category, service, is_known)"
)
COLUMNS = (
    "account_sid, start_date, end_date, category, service, billing_kind, dedup_role, "
    "parent_category, usage, usage_unit, price, deduplicated_price, price_unit, as_of"
)
KINDS = {"sms": ("SMS & MMS", "segments"), "calls": ("Voice", "minutes"), "odd": ("Other", "odds")}
SEEDS = {
    "allocation_rules": "rule_id,priority,account_sid,service,category,owner,cost_center,weight,"
    "valid_from,valid_to\nshared,1,,,sms*,Ops,,2,,\nshared,1,,,sms*,Sales,,1,,\n",
    "customers": "customer_id,name,account_sid,plan_id,valid_from,valid_to\nacme,Acme,AC1,,,\n",
    "budgets": "budget_id,scope,scope_value,period,amount,currency,valid_from,valid_to\n"
    "ops,owner,Ops,month,1000,USD,,\n",
}


def ago(days: int) -> date:
    return LAST - days * DAY


def read(*days: tuple[str, date, int]) -> str:
    """Return the statement that inserts the rows of accounts' days, as read some days later."""
    values = ", ".join(row for sid, day, later in days for row in rows(sid, day, later))
    return f"INSERT INTO {RAW} ({COLUMNS}) VALUES {values}"


def rows(sid: str, day: date, later: int) -> Iterator[str]:
    as_of = f"{day + (1 + later) * DAY} 06:00:00"
    total = 1
    for number, (category, (service, unit)) in enumerate(KINDS.items(), 1):
        usage = (day.toordinal() * 31 + number * 7 + int(sid[-1]) + later * 5) % 50 + 1
        price = usage * number
        total += price
        yield (
            f"('{sid}', '{day}', '{day}', '{category}', '{service}', 'usage', 'leaf', "
            f"'totalprice', {usage}, '{unit}', {price}, {price}, 'USD', '{as_of}')"
        )
    yield (
        f"('{sid}', '{day}', '{day}', 'totalprice', 'Unattributed', 'total', 'total', NULL, "
        f"{total}, 'usd', {total}, 1, 'USD', '{as_of}')"
    )


def deleted(sid: str, day: date, more: str = "") -> str:
    return f"DELETE FROM {RAW} WHERE account_sid = '{sid}' AND start_date = '{day}' {more}"


def updated(sid: str, day: date, category: str, change: str) -> str:
    return (
        f"UPDATE {RAW} SET {change}, as_of = '2025-09-20' WHERE account_sid = '{sid}' "
        f"AND start_date = '{day}' AND category = '{category}'"
    )


LOADED = [
    *filter(str.strip, TABLES.split(";")),
    f"CREATE TABLE tap_twilio_usage.accounts ({ACCOUNTS})",
    "INSERT INTO tap_twilio_usage.accounts (account_sid, friendly_name) VALUES ('AC1', 'One')",
    (
        f"{CATEGORIES} VALUES "
        "('totalprice', NULL, 'Unattributed', TRUE), ('sms', 'totalprice', 'SMS & MMS', TRUE), "
        "('calls', 'totalprice', 'Voice', TRUE)"
    ),
    read(*((f"AC{n}", ago(days), 0) for n in (1, 2, 3) for days in range((LAST - FIRST).days + 1))),
    deleted("AC3", ago(90)),
]
OTHER_INPUTS = {
    "allocation_rules": SEEDS["allocation_rules"] + "all,2,AC2,,,Sales,7,1,2025-07-01,9999-12-31\n",
    "customers": SEEDS["customers"] + "globex,Globex,AC3,,2025-07-15,\n",
}
ANOTHER_IS_KNOWN = f"{CATEGORIES} VALUES ('odd', 'totalprice', 'Other', TRUE)"
# What Twilio and a loader may do between two builds.
CHANGES = [
    deleted("AC1", ago(3)),  # restated
    read(("AC1", ago(3), 4)),
    deleted("AC2", ago(80)),  # restated long after the lookback
    read(("AC2", ago(80), 81)),
    deleted("AC2", ago(10)),  # gone
    read(("AC3", ago(90), 95)),  # never loaded before
    read(("AC3", LAST + DAY, 0), ("AC3", LAST + 2 * DAY, 0)),  # the next days, of one account only
    read(("AC4", ago(5), 0)),  # a new account
    updated("AC3", ago(33), "odd", "service = 'Verify'"),  # and the day's sum is the same
    deleted("AC3", ago(12), "AND category = 'odd'"),  # one row of a day
    updated(
        "AC3",
        ago(12),
        "totalprice",
        "price = 1 + (SELECT SUM(deduplicated_price) - 1 FROM "
        f"{RAW} WHERE account_sid = 'AC3' AND start_date = '{ago(12)}')",
    ),
    "UPDATE tap_twilio_usage.accounts SET friendly_name = 'Uno'",
    # What a build that failed half way may leave: a day that is gone, and a part of another one.
    f"DELETE FROM twilio_usage.cost_by_day WHERE account_sid = 'AC1' AND start_date = '{ago(20)}'",
    (
        "UPDATE twilio_usage.allocated_cost SET version = 0, cost = 0 "
        f"WHERE account_sid = 'AC2' AND start_date = '{ago(25)}' AND category = 'sms'"
    ),
]


INEFFECTIVE = "inputs_match_something"
WRONG = {
    "allocation_rules": SEEDS["allocation_rules"]
    + "typo,3,,,smss*,Nobody,,1,,\nover,4,,,,Nobody,,1,2024-01-01,2024-12-31\nlate,5,,,,,,1,,\n"
    "split,6,,,calls,One,,1,,\n split,,,,calls, Two ,,1,,\n",
    "customers": SEEDS["customers"] + "acme,,AC9,small,,9999-12-31\n",
    "budgets": SEEDS["budgets"] + "team,team,x,month,5,USD,,\nold,all,,year,5,USD,2025-01-01,\n"
    "moved,service,Voice,month,5,USD,,2025-08-31\nmoved,category,calls,month,5,USD,2025-09-01,\n"
    "empty,owner,Nobodie,month,5,USD,,\n",
    "plans": "plan_id,name,monthly_price,currency,markup_percent\nlarge,,-1,USD,\n",
    "invoice_lines": "invoice_id,period_start,period_end,account_sid,item_group,item,quantity,"
    "amount,currency,kind,raw\nIV7,2025-08-31,2025-08-01,,Voice,,,5,USD,usage,\n",
}
# Of each test, the row and the problem.
SAID = [
    ("allocation_rules_are_valid", "rule_id late", "no owner"),
    (
        *("allocation_rules_are_valid", "rule_id split, owner Two"),
        "another row of the rule has a lower priority",
    ),
    ("budgets_are_valid", "budget_id moved", "two scopes in one currency"),
    (
        *("budgets_are_valid", "budget_id team"),
        "scope is not all, account, owner, service or category",
    ),
    (
        *("customers_are_valid", "customer_id acme, account_sid AC9, plan_id small"),
        *("valid_from 1000-01-01", "no such plan"),
    ),
    ("plans_are_valid", "plan_id large", "monthly_price is negative"),
    (
        *("invoice_lines_are_valid", "invoice_id IV7, item_group Voice, amount 5.000000000000"),
        "period_start is after period_end",
    ),
    (INEFFECTIVE, "input customers, name acme AC9", "no day of the account is loaded"),
    (INEFFECTIVE, "input allocation_rules, name typo", "no cost matches the rule"),
    (INEFFECTIVE, "input allocation_rules, name over", "no cost matches the rule"),
    (
        *(INEFFECTIVE, "input budgets, name old"),
        "it begins before the first loaded day, so its first period lacks costs",
    ),
    (INEFFECTIVE, "input budgets, name empty", "no cost belongs to the budget"),
]
MODELS = ["build", "--resource-type", "seed", "--resource-type", "model"]
STEPS: list[dict[str, Any]] = [
    {"statements": LOADED, "seeds": SEEDS, "dbt": MODELS},
    {"statements": [ANOTHER_IS_KNOWN], "seeds": OTHER_INPUTS, "dbt": MODELS},
    {"statements": CHANGES, "dbt": ["build", "--exclude", "every_day_is_loaded"], "rows": True},
    {"dbt": ["run", "--full-refresh"], "rows": True},
]
TESTS = [test for test, *_ in SAID]
MORE: list[dict[str, Any]] = [
    {"seeds": WRONG, "dbt": ["seed"]},
    {"dbt": ["run", "--select", "int_twilio_usage__rule_matches", "+budget_status"]},
    {"dbt": ["test", "--select", *dict.fromkeys(TESTS)]},
]
Taken = list[tuple[bool, str, dict[str, list[str]]]]


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Return the Python of an environment with dbt and two adapters."""
    made = once_for_all(tmp_path_factory, worker_id, "dbt", lambda each: install(each, *NEEDS))
    return made / "bin" / "python"


@pytest.fixture(scope="module")
def taken(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Taken:
    """Return what came of all steps in DuckDB."""
    folder = tmp_path_factory.mktemp("incremental")
    path = f"{folder / 'w.duckdb'}"
    return take(python, folder, STEPS + MORE, DBT_TARGET="duckdb", TARGET_DUCKDB_PATH=path)


def take(python: Path, folder: Path, steps: list[dict[str, Any]], **warehouse: str) -> Taken:
    """Take the steps on a copy of the package."""
    package = folder / "dbt"
    shutil.copytree(ROOT / "dbt", package, ignore=shutil.ignore_patterns("target", "logs"))
    done = subprocess.run(
        [python, "-W", "ignore", ROOT / "tests" / "dbt_steps.py"],
        input=json.dumps(steps),
        cwd=package,
        env={
            **clean_environment(),
            **QUIET_DBT,
            "DBT_WRITE_JSON": "false",
            **warehouse,
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: Taken = json.loads(done.stdout.splitlines()[-1])
    return found


def check_builds(first: Taken) -> None:
    """Check that a build of what has changed, the inputs and then the rows, is one from nothing."""
    for succeeded, log, _ in first:
        assert succeeded, log
    *_, (_, _, changed), (_, _, anew) = first
    assert changed.keys() == anew.keys()
    for model, expected in anew.items():
        assert changed[model] == expected, model
    days = 3 * ((LAST - FIRST).days + 1) - 1 + 2 + 1
    assert len(anew["cost_by_day"]) == 4 * days - 1
    # A day after the last one would be more than some warehouses can store.
    assert not [row for row in anew["int_twilio_usage__allocation_rules"] if "9999" in row]


def test_a_later_build_is_what_a_first_one_would_be(taken: Taken) -> None:
    check_builds(taken[: len(STEPS)])


@pytest.mark.nightly
def test_a_later_build_in_postgresql_too(python: Path, tmp_path: Path, database: str) -> None:
    check_builds(take(python, tmp_path, STEPS, DBT_TARGET="postgres", **address(database)))
    with psycopg.connect(database) as connection:
        unknown = connection.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND reltuples < 0 "
            "AND relname IN ('cost_by_day', 'allocated_cost', 'int_twilio_usage__baselines')"
        ).fetchall()
        indexed = connection.execute(
            "SELECT tablename FROM pg_indexes WHERE schemaname = 'twilio_usage'"
        ).fetchall()
    assert unknown == []  # tables whose number of rows PostgreSQL would guess
    assert indexed == [("cost_by_day",)]


@pytest.mark.parametrize("said", SAID)
def test_a_test_that_fails_says_which_row_and_why(taken: Taken, said: tuple[str, ...]) -> None:
    succeeded, log, _ = taken[-1]
    test, *row, problem = said
    assert not succeeded
    assert f"{test}: {', '.join(row)}, problem {problem}\n" in log
