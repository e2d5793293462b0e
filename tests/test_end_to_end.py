"""The main job as a user runs it: real Meltano, targets and PostgreSQL, checked with SQL."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import psycopg
import pytest

from benchmarks.postgres import unused_port
from sandbox import AUTH_TOKEN, BILLING_GROUP_IDS, CLIENT_SECRET, AtRandom, Company, Server
from tap_twilio_usage.focus.columns import SCHEMA as FOCUS_SCHEMA
from tap_twilio_usage.report.wording import exact
from tests.canary import leaks
from tests.conftest import (
    DAYS,
    FIRST,
    LAST,
    REPORT,
    ROOT,
    SCHEMA,
    Meltano,
    Query,
    Rows,
    blocks,
    clean_environment,
    everything,
    query_and_commit,
)
from tests.noise import NOISE

MOST_LINES_OF_A_LOG = 30  # of a healthy first run: Meltano's, the tap's and the loader's
README, WAREHOUSE = ROOT / "README.md", ROOT / "docs" / "warehouse.md"
README_QUERIES = blocks(README, "sql")
RECORDS = f"{SCHEMA}.usage_records_daily"


def table(query: Query, name: str = "usage_records_daily") -> Rows:
    """Return all rows, without the columns that change with every read."""
    columns = query(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = "
        f"'{SCHEMA}' AND table_name = '{name}' AND column_name NOT LIKE '\\_sdc%' "
        "AND column_name NOT IN ('as_of', 'retrieved_at') ORDER BY 1"
    )
    names = ", ".join(f'"{column}"' for (column,) in columns)
    return query(f"SELECT {names} FROM {name} ORDER BY {names}")


def truth(company: Company) -> dict[tuple[date, str], Decimal]:
    return {
        (day, home): price for day in DAYS for home, price in company.truth(day).items() if price
    }


def counted(query: Query) -> dict[tuple[date, str], Decimal]:
    rows = query(
        "SELECT start_date, category, deduplicated_price FROM usage_records_daily "
        "WHERE deduplicated_price <> 0"
    )
    return {(day, category): price for day, category, price in rows}


def reconciles(query: Query) -> None:
    """Check that each day's SUM(deduplicated_price) is the price of totalprice, as NUMERIC."""
    days = query(
        "SELECT start_date, SUM(deduplicated_price), SUM(price) FILTER (WHERE category = "
        "'totalprice'), pg_typeof(SUM(deduplicated_price))::text, COUNT(*) = COUNT(DISTINCT "
        "category) FROM usage_records_daily GROUP BY start_date ORDER BY start_date"
    )
    assert [day for day, *_ in days] == DAYS
    for _, deduplicated, total, kind, unique in days:
        assert (deduplicated, kind, unique) == (total, "numeric", True)


def test_postgresql_has_each_dollar_once_after_one_run_and_after_two(
    meltano: Meltano, query: Query, company: Company, server: Server
) -> None:
    """And after a third one, which updates restated days."""
    log = meltano.run(server, "target-postgres")
    assert not [noise for noise in NOISE if noise in log]
    assert len(log.splitlines()) <= MOST_LINES_OF_A_LOG, log
    assert target_columns(query) == []
    reconciles(query)
    assert counted(query) == truth(company)
    ((naive, total),) = query(
        "SELECT SUM(price) FILTER (WHERE category <> 'totalprice'), SUM(price) FILTER "
        "(WHERE category = 'totalprice') FROM usage_records_daily"
    )
    assert naive > total * Decimal("1.8")
    by_service, unreconciled, *_ = README_QUERIES
    assert sum(spend for _, _, spend, _ in query(by_service)) == total
    assert query(unreconciled) == []
    first = table(query)
    log = meltano.run(server, "target-postgres", TAP_TWILIO_USAGE_LOOKBACK_DAYS="5")
    assert table(query) == first
    assert f"{LAST - timedelta(days=5)}..{LAST} (6 days)" in log
    types: dict[str, str] = dict(
        query(
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = "
            "'usage_records_daily'"
        )
    )
    assert types["price"] == types["deduplicated_price"] == types["count"] == "numeric"
    assert types["start_date"] == "date"
    assert types["counts_in_total"] == types["includes_subaccounts"] == "boolean"
    restated_days_are_updated_even_to_zero(meltano, query, company, server)


def restated_days_are_updated_even_to_zero(
    meltano: Meltano, query: Query, company: Company, server: Server
) -> None:
    """Restate days of what is loaded, run again, and check that no row is there twice."""
    longer, gone = LAST - timedelta(days=3), LAST - timedelta(days=5)
    before = len(table(query))
    company.restate(longer, "sms-outbound-longcode", price_factor=Decimal("1.25"))
    for account in company.accounts():
        company.restate(gone, "phonenumbers-local", price=Decimal(0), account=account.sid)
    company.charge(LAST, "hologram-calls", Decimal("12.3456"))
    meltano.run(server, "target-postgres", TAP_TWILIO_USAGE_LOOKBACK_DAYS="7")
    reconciles(query)
    assert counted(query) == truth(company)
    ((not_listed,),) = query("SELECT COUNT(*) FROM usage_records_daily WHERE api_version IS NULL")
    assert len(table(query)) - not_listed == before + 1
    assert query(
        f"SELECT price FROM usage_records_daily WHERE start_date = '{gone}' AND category = "
        "'phonenumbers-local'"
    ) == [(Decimal(0),)]
    assert query(
        "SELECT is_known, is_reported, counts_in_total FROM categories WHERE category = "
        "'hologram-calls'"
    ) == [(False, True, True)]


def target_columns(query: Query) -> list[str]:
    """Return the columns of usage_records_daily that the target adds."""
    return [
        name
        for (name,) in query(
            "SELECT column_name FROM information_schema.columns WHERE table_name = "
            "'usage_records_daily' AND column_name LIKE '\\_sdc%' ORDER BY 1"
        )
    ]


# Its own defaults, which meltano.yml changes.
DEFAULTS_OF_TARGET_POSTGRES = {
    "TARGET_POSTGRES_VALIDATE_RECORDS": "true",
    "TARGET_POSTGRES_ADD_RECORD_METADATA": "true",
    "TARGET_POSTGRES_ACTIVATE_VERSION": "true",
}
KNOWN_CATEGORIES = (
    "SELECT category, also_included_in, level FROM categories WHERE is_known ORDER BY 1"
)


@pytest.mark.nightly
def test_tables_with_columns_of_the_target_are_updated_without_them(
    meltano: Meltano, query: Query, company: Company, server: Server
) -> None:
    meltano.run(server, "target-postgres", **DEFAULTS_OF_TARGET_POSTGRES)
    columns, overlaps = target_columns(query), query(KNOWN_CATEGORIES)
    assert "_sdc_extracted_at" in columns
    restated_days_are_updated_even_to_zero(meltano, query, company, server)
    assert target_columns(query) == columns
    assert query(
        "SELECT _sdc_extracted_at FROM usage_records_daily WHERE category = 'hologram-calls'"
    ) == [(None,)]
    restated = table(query)
    drop = ", ".join(f"DROP COLUMN {column}" for column in columns)
    query_and_commit(meltano, f"ALTER TABLE {SCHEMA}.usage_records_daily {drop}")
    meltano.run(server, "target-postgres", "--full-refresh")
    assert table(query) == restated
    assert query(KNOWN_CATEGORIES) == overlaps


@pytest.mark.nightly
def test_amounts_as_strings_are_exact_decimals(
    meltano: Meltano, query: Query, company: Company, server: Server
) -> None:
    meltano.run(server, "target-postgres", TAP_TWILIO_USAGE_USE_SINGER_DECIMAL="true")
    reconciles(query)
    assert counted(query) == truth(company)
    assert query(
        "SELECT DISTINCT numeric_precision, numeric_scale FROM information_schema.columns WHERE "
        "table_name = 'usage_records_daily' AND data_type = 'numeric'"
    ) == [(38, 12)]


@pytest.mark.nightly
def test_a_run_after_a_killed_run_completes_the_same_rows(
    meltano: Meltano, query: Query, company: Company
) -> None:
    small = {"TARGET_POSTGRES_BATCH_SIZE_ROWS": "300", "TAP_TWILIO_USAGE_PAGE_SIZE": "300"}
    with Server(company) as server:
        meltano.run(server, "target-postgres")
        whole = table(query)
        query_and_commit(meltano, f"DROP SCHEMA {SCHEMA} CASCADE")
        with Server(company, latency=0.3) as slow:
            process = meltano.start(
                slow, "target-postgres", "--full-refresh", "--state-id-suffix=killed", **small
            )
            some = wait_for_rows(query)
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        assert 0 < some < len(whole)
        # Meltano considers a killed job as running for five minutes, hence --force.
        meltano.run(server, "target-postgres", "--force", "--state-id-suffix=killed", **small)
    assert table(query) == whole
    reconciles(query)


def refused(meltano: Meltano, server: Server, reason: str, **more: str) -> None:
    """Run, and check that the run fails, and that the target's part of the log has the reason."""
    with meltano.start(server, "target-postgres", **more) as process:
        log, _ = process.communicate(timeout=300)
    assert process.returncode != 0
    words = " ".join(re.sub(r"\x1b\[[\d;]*m", "", log).split())  # Meltano colours and wraps it
    assert re.search(rf"\(?psycopg\.[^│]*{re.escape(reason)}", words)
    assert not leaks(log, (AUTH_TOKEN, CLIENT_SECRET))


def completes(meltano: Meltano, query: Query, company: Company, server: Server) -> None:
    """Run, and check that every day is complete."""
    meltano.run(server, "target-postgres")
    reconciles(query)
    assert counted(query) == truth(company)


SIZE_OF_WAL = 16 * 1024 * 1024  # of its files, which the server itself has to write

# What is in the way of a load, what the target says of it, and what is done about it.
IN_THE_WAY = {
    "constraint": (
        f"ALTER TABLE {RECORDS} ADD CONSTRAINT one CHECK (start_date < '{LAST}')",
        'violates check constraint "one"',
        f"ALTER TABLE {RECORDS} DROP CONSTRAINT one",
    ),
    "permission": (
        "ALTER ROLE {role} IN DATABASE {name} SET default_transaction_read_only = on",
        "in a read-only transaction",
        "ALTER ROLE {role} IN DATABASE {name} SET default_transaction_read_only = off",
    ),
}


@pytest.mark.nightly
@pytest.mark.parametrize("what", IN_THE_WAY)
def test_what_is_refused_is_loaded_later(
    meltano: Meltano, query: Query, company: Company, server: Server, what: str
) -> None:
    with psycopg.connect(meltano.database) as connection:
        names = {"role": connection.info.user, "name": f'"{connection.info.dbname}"'}
    put, reason, remove = (text.format(**names) for text in IN_THE_WAY[what])
    meltano.run(server, "target-postgres", TAP_TWILIO_USAGE_END_DATE=f"{LAST - timedelta(days=9)}")
    before = table(query)
    query_and_commit(meltano, put)
    refused(meltano, server, reason)
    assert table(query) == before
    query_and_commit(meltano, f"SET TRANSACTION READ WRITE; {remove}")
    completes(meltano, query, company, server)


def limit_files(meltano: Meltano, size: str) -> None:
    """Limit the size of the files that the server may write for connections from now on."""
    query_and_commit(
        meltano,
        f"COPY (SELECT) TO PROGRAM 'prlimit --fsize={size}: --pid $(head -1 postmaster.pid)'",
    )


@pytest.mark.nightly
def test_a_full_disk_is_said_and_its_days_are_loaded_later(
    meltano: Meltano, query: Query, company: Company, server: Server
) -> None:
    """A limit for the size of a file stands for the disk; the table is filled up to it."""
    meltano.run(server, "target-postgres", TAP_TWILIO_USAGE_END_DATE=f"{LAST - timedelta(days=9)}")
    before = table(query)
    query_and_commit(
        meltano,
        f"ALTER TABLE {RECORDS} ALTER description SET STORAGE PLAIN;"
        f"INSERT INTO {RECORDS} (account_sid, category, start_date, description) "
        f"SELECT 'filler', n, '{LAST}', repeat('x', 8000) "
        f"FROM generate_series(1, ({SIZE_OF_WAL} - pg_relation_size('{RECORDS}')) / 8192) AS n",
    )
    limit_files(meltano, f"{SIZE_OF_WAL}")
    try:
        refused(meltano, server, "File too large")
    finally:
        limit_files(meltano, "unlimited")
    query_and_commit(meltano, f"DELETE FROM {RECORDS} WHERE account_sid = 'filler'")
    assert table(query) == before
    completes(meltano, query, company, server)


@pytest.mark.nightly
def test_a_database_that_is_away_is_said_and_loaded_by_the_next_run(
    meltano: Meltano, query: Query, company: Company, server: Server
) -> None:
    refused(meltano, server, "Connection refused", TARGET_POSTGRES_PORT=f"{unused_port()}")
    completes(meltano, query, company, server)


@pytest.mark.nightly
def test_a_key_or_a_column_that_was_dropped_by_hand_loses_no_row(
    meltano: Meltano, query: Query, company: Company, server: Server
) -> None:
    """The target compares keys itself, and adds the column again, for the days that it loads."""
    meltano.run(server, "target-postgres", TAP_TWILIO_USAGE_END_DATE=f"{LAST - timedelta(days=9)}")
    query_and_commit(
        meltano,
        f"ALTER TABLE {RECORDS} DROP CONSTRAINT usage_records_daily_pkey, DROP COLUMN service",
    )
    completes(meltano, query, company, server)
    meltano.run(server, "target-postgres", "--full-refresh")
    assert query("SELECT COUNT(*) FROM usage_records_daily WHERE service IS NULL") == [(0,)]


@pytest.mark.nightly
def test_the_query_of_the_page_finds_columns_of_other_types(
    meltano: Meltano, query: Query, server: Server
) -> None:
    """The target loads into them without a word."""
    (check,) = [each for each in blocks(WAREHOUSE, "sql") if "information_schema" in each]
    query_and_commit(
        meltano,
        f"CREATE SCHEMA {SCHEMA}; CREATE TABLE {RECORDS} (start_date TEXT, "
        "account_sid TEXT, category TEXT, price DOUBLE PRECISION, usage NUMERIC(12, 4))",
    )
    meltano.run(server, "target-postgres")
    found = {(name, kind) for _, name, kind in query(check)}
    assert found == {
        ("start_date", "text"),
        ("price", "double precision"),
        ("usage", "numeric(12,4)"),
    }
    query_and_commit(meltano, f"DROP TABLE {RECORDS}")
    meltano.run(server, "target-postgres", "--full-refresh")
    assert query(check) == []
    reconciles(query)


@pytest.mark.nightly
def test_focus_in_postgresql_sums_to_the_total_of_each_day_also_after_restatements(
    meltano: Meltano, query: Query, company: Company
) -> None:
    days = DAYS[-10:]
    focus = {
        "TAP_TWILIO_USAGE_FOCUS": "true",
        "TAP_TWILIO_USAGE_SUBACCOUNTS": "separate",
        "TAP_TWILIO_USAGE_START_DATE": f"{days[0]}",
    }
    longer, gone = LAST - timedelta(days=3), LAST - timedelta(days=5)
    with Server(company) as server:
        meltano.run(server, "target-postgres", **focus)
        assert focus_by_day(query) == {day: company.total(day) for day in days}
        company.restate(longer, "sms-outbound-longcode", price_factor=Decimal("1.25"))
        company.restate(gone, "calls-outbound", price=Decimal(0))
        meltano.run(server, "target-postgres", **focus, TAP_TWILIO_USAGE_LOOKBACK_DAYS="7")
    assert focus_by_day(query) == {day: company.total(day) for day in days}
    types: dict[str, str] = dict(
        query(
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = "
            "'focus_cost_and_usage'"
        )
    )
    assert types.keys() >= FOCUS_SCHEMA["properties"].keys()
    assert types["BilledCost"] == types["x_Price"] == "numeric"
    assert types["ChargePeriodStart"].startswith("timestamp")
    query_and_commit(
        meltano,
        "CREATE SCHEMA aws; CREATE TABLE aws.focus AS SELECT 'AWS' AS \"ProviderName\", "
        '\'Compute\' AS "ServiceCategory", 12.5 AS "BilledCost", \'USD\' AS "BillingCurrency", '
        f"'{LAST}'::timestamp AS \"ChargePeriodStart\"",
    )
    *_, beside_others = README_QUERIES
    rows = query(beside_others)
    assert ("AWS", "Compute", Decimal("12.5"), "USD") in [row[1:] for row in rows]
    twilio = [cost for _, provider, _, cost, _ in rows if provider == "Twilio"]
    assert sum(twilio) == sum(company.total(day) for day in days)


def focus_by_day(query: Query) -> dict[date, Decimal]:
    rows = query(
        'SELECT "ChargePeriodStart", SUM("BilledCost") FROM focus_cost_and_usage GROUP BY 1'
    )
    return {start.date(): cost for start, cost in rows}


@pytest.mark.nightly
def test_nightly_runs_with_faults_load_the_same_tables_as_runs_without(
    meltano: Meltano, query: Query
) -> None:
    """The first load and the next night, with restated days; a fifth of all answers are faults."""
    found = []
    for rate in (0.0, 0.2):
        company = Company(today=LAST, categories=1)
        suffix = f"--state-id-suffix={rate}"
        with Server(company, plan=AtRandom(rate)) as server:
            settings = everything(server)
            settings["TAP_TWILIO_USAGE_END_DATE"] = f"{LAST - timedelta(days=1)}"
            meltano.run(server, "target-postgres", suffix, **settings)
            company.restate(FIRST, "sms-outbound-longcode", price_factor=Decimal("1.25"))
            company.restate(LAST - timedelta(days=5), "phonenumbers-local", price=Decimal(0))
            settings["TAP_TWILIO_USAGE_END_DATE"] = f"{LAST}"
            log = meltano.run(server, "target-postgres", suffix, **settings)
            assert 0.5 * rate <= len(server.faulty) / len(server.requests) <= 1.5 * rate
            assert ("; try 2 after " in log) == bool(rate)
        days = "SELECT start_date, SUM(deduplicated_price) FROM usage_records_daily GROUP BY 1"
        assert dict(query(days)) == {day: company.total(day) for day in DAYS}
        found.append({name: table(query, name) for name in tables(query)})
        query_and_commit(meltano, f"DROP SCHEMA {SCHEMA} CASCADE")
    healthy, faulty = found
    assert len(healthy) == len(list((ROOT / "tests" / "catalogs").glob("*.json")))
    assert all(healthy.values())
    assert faulty == healthy


ACCOUNTS_OF = {"rolled_up": 1, "separate": 3, "excluded": 1}  # one of four accounts has no usage


@pytest.mark.nightly
def test_every_stream_is_correct_after_each_change_of_subaccounts(
    meltano: Meltano, query: Query, company: Company
) -> None:
    """Every table, and the README's queries, count each dollar once after each change."""
    company.today = LAST
    by_service, unreconciled, *_ = README_QUERIES
    with Server(company) as server:
        for subaccounts in ("separate", "rolled_up", "separate", "excluded", "rolled_up"):
            mode = {"TAP_TWILIO_USAGE_SUBACCOUNTS": subaccounts}
            log = meltano.run(server, "target-postgres", **everything(server), **mode)
            assert not [group for group in BILLING_GROUP_IDS if group in log]
            totals = [
                company.total(day, include_subaccounts=subaccounts != "excluded") for day in DAYS
            ]
            assert query(
                "SELECT start_date, SUM(deduplicated_price) FROM usage_records_daily "
                "GROUP BY 1 ORDER BY 1"
            ) == list(zip(DAYS, totals, strict=True))
            assert sum(spend for _, _, spend, _ in query(by_service)) == sum(totals)
            assert query(unreconciled) == []
            assert query(
                "SELECT COUNT(DISTINCT account_sid) FROM usage_records_daily WHERE price <> 0"
            ) == [(ACCOUNTS_OF[subaccounts],)]
            for table in tables(query):
                if table.startswith("usage_records"):
                    ((deduplicated, total, naive),) = query(
                        "SELECT SUM(deduplicated_price), SUM(price) FILTER (WHERE category = "
                        f"'totalprice'), SUM(price) FROM {table}"
                    )
                    assert deduplicated == total < naive
    assert tables(query) == sorted(
        stream.stem for stream in (ROOT / "tests" / "catalogs").glob("*.json")
    )
    assert query("SELECT COUNT(*) FROM accounts") == [(4,)]
    assert query(
        "SELECT start_date, SUM(price) FROM billing_group_records GROUP BY 1 ORDER BY 1"
    ) == [(day, company.total(day)) for day in DAYS]


def tables(query: Query) -> list[str]:
    return [
        name
        for (name,) in query(
            f"SELECT table_name FROM information_schema.tables WHERE table_schema = '{SCHEMA}' "
            "ORDER BY 1"
        )
    ]


def wait_for_rows(query: Query) -> int:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            ((count,),) = query("SELECT COUNT(*) FROM usage_records_daily")
        except psycopg.errors.UndefinedTable:
            count = 0
        if count:
            return int(count)
        time.sleep(0.05)
    pytest.fail("no row arrived")


@pytest.mark.nightly
def test_duckdb_has_every_row_and_focus_and_the_report_reconcile(
    meltano: Meltano, company: Company, tmp_path: Path
) -> None:
    with Server(company) as server:
        meltano.run(server, "target-duckdb", TAP_TWILIO_USAGE_FOCUS="true")
    with duckdb.connect(meltano.environment["TARGET_DUCKDB_PATH"], read_only=True) as warehouse:
        warehouse.execute(f"USE {SCHEMA}")
        rows = warehouse.execute("SELECT category, start_date FROM usage_records_daily").fetchall()
        (proof,) = (each for each in blocks(WAREHOUSE, "sql") if "DECIMAL" in each)
        unreconciled = warehouse.execute(proof).fetchall()
        focus = warehouse.execute(
            'SELECT LEFT("ChargePeriodStart"::VARCHAR, 10)::DATE, '
            'SUM("BilledCost"::VARCHAR::DECIMAL(38, 12)) FROM focus_cost_and_usage GROUP BY 1'
        ).fetchall()
    spent = {
        (charge.category, f"{day}")
        for day in DAYS
        for account in company.accounts()
        for charge in company.charges(account.sid, day)
    }
    assert len(rows) == len(set(rows))
    assert spent <= {*rows}
    assert unreconciled == []
    assert dict(focus) == {day: company.total(day) for day in DAYS}
    url, page = f"duckdb:///{meltano.environment['TARGET_DUCKDB_PATH']}", tmp_path / "report.html"
    options = ("--url", url, "--output", f"{page}")
    subprocess.run([f"{REPORT}", *options], check=True, env=clean_environment())
    total = sum((company.total(day) for day in DAYS), Decimal(0))
    assert f'title="{exact(total)}"' in page.read_text()
