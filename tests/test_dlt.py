"""`tap-twilio-usage-load` and the source for dlt, with real databases."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
from deltalake import DeltaTable

from sandbox import Company, Server
from tests.conftest import SCHEMA, Query, Rows, Sync, catalog_of, nightly, nightly_except
from tests.http_server import Answer, Request, serve
from tests.loading import (
    PASSWORD,
    Loader,
    by_key,
    in_duckdb,
    in_postgres,
    settings,
    table,
    typed,
)
from tests.twilio import SID, TOKEN, Days, account
from tests.waiting import until

DAILY = "usage_records_daily"
TOTALS = (
    "SELECT start_date, SUM(deduplicated_price) = SUM(CASE WHEN category = 'totalprice' THEN price "
    f"END), COUNT(*) = COUNT(DISTINCT category) FROM {DAILY} GROUP BY start_date"
)


@pytest.fixture
def loader(tmp_path: Path) -> Loader:
    return Loader(tmp_path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "usage.duckdb"


def reconciles(query: Callable[[str], Rows], days: int = 20) -> None:
    """Check by plain SQL that each day has every dollar once, and each category once."""
    found = query(TOTALS)
    assert len(found) == days
    assert {row[1:] for row in found} == {(True, True)}


def types(query: Callable[[str], Rows], name: str) -> dict[str, str]:
    columns = "SELECT column_name, data_type FROM information_schema.columns"
    return dict(query(f"{columns} WHERE table_name = '{name}'"))


def every_stream(sync: Sync, config: dict[str, Any]) -> Any:
    """Return a run of the Singer tap with all streams, and their names."""
    catalog = sync(config, "--discover").catalog
    names = [stream["tap_stream_id"] for stream in catalog["streams"]]
    run = sync(config, catalog=catalog_of(catalog, *names))
    assert run.code == 0, run.log
    return run, [f"--select={name}" for name in names]


def timeless(rows: dict[Any, dict[str, Any]]) -> dict[Any, dict[str, Any]]:
    """Return the rows without the time of the request, of which there were two."""
    return {key: {**row, "retrieved_at": None} for key, row in rows.items()}


def has_the_rows_of_the_singer_door(query: Callable[[str], Rows], run: Any) -> None:
    for stream, message in run.schemas().items():
        schema, key = message["schema"], message["key_properties"]
        records = [typed(record, schema) for record in run.records(stream)]
        found = by_key(table(query, stream), key)
        assert timeless(found) == timeless(by_key(records, key)), stream
        assert records


def test_duckdb_has_every_stream_cell_for_cell(
    loader: Loader, sync: Sync, server: Server, file: Path
) -> None:
    config = settings(server, focus=True, subaccounts="separate", start_date="2025-09-13")
    run, streams = every_stream(sync, config)
    loader.run(f"--destination=duckdb:///{file}", *streams, **config)
    query = in_duckdb(file)
    has_the_rows_of_the_singer_door(query, run)
    kinds = types(query, DAILY)
    assert {kinds[name] for name in ("price", "deduplicated_price", "count", "usage")} == {
        "DECIMAL(38,12)"
    }
    assert kinds["start_date"] == "DATE"
    assert kinds["as_of"] == "TIMESTAMP WITH TIME ZONE"
    assert kinds["counts_in_total"] == "BOOLEAN"
    assert types(query, "categories")["level"] == "BIGINT"


@pytest.mark.nightly
def test_postgresql_has_every_stream_cell_for_cell(
    loader: Loader, sync: Sync, server: Server, database: str, query: Query
) -> None:
    config = settings(server, focus=True)
    run, streams = every_stream(sync, config)
    loader.run(f"--destination={database}", *streams, **config)
    has_the_rows_of_the_singer_door(query, run)
    reconciles(query)
    kinds = types(query, DAILY)
    assert kinds["price"] == "numeric"
    assert kinds["start_date"] == "date"
    assert kinds["as_of"] == "timestamp with time zone"
    assert kinds["counts_in_total"] == "boolean"
    assert query('SELECT COUNT(*), SUM("BilledCost") > 0 FROM focus_cost_and_usage')[0][1]


@pytest.mark.parametrize("engine", ["duckdb", nightly("postgres")])
def test_text_and_amounts_keep_every_character_and_digit(
    loader: Loader, file: Path, request: pytest.FixtureRequest, engine: str
) -> None:
    """Empty text is not null, and the largest amounts are exact."""
    large = "12345678901234567890.123456789012"
    days: Days = {"2026-01-01": {"calls": large, "sms": "1E-12", "odd \"'\\,;\n\tÜ": "0"}}
    with serve(account(days)) as server:
        config = of_january(server.url, end_date="2026-01-01", skip_unused_categories=False)
        if engine == "duckdb":
            destination, query = f"duckdb:///{file}", in_duckdb(file)
        else:
            destination = request.getfixturevalue("database")
            query = in_postgres(destination)
        loader.run(f"--destination={destination}", f"--select={DAILY}", **config)
    found = query(f"SELECT category, price, count_unit FROM {DAILY}")
    assert {(category, price) for category, price, _ in found} == {
        ("calls", Decimal(large)),
        ("sms", Decimal("1E-12")),
        ("odd \"'\\,;\n\tÜ", Decimal(0)),
    }
    assert {unit for *_, unit in found} == {""}


def of_january(url: str, **more: Any) -> dict[str, Any]:
    days = {"start_date": "2026-01-01", "end_date": "2026-01-31"}
    return {"account_sid": SID, "auth_token": TOKEN, "api_url": url, **days, **more}


def test_the_next_run_resumes_and_overwrites_restated_days(
    loader: Loader, company: Company, server: Server, file: Path
) -> None:
    destination, query = f"--destination=duckdb:///{file}", in_duckdb(file)
    loader.run(destination, **settings(server))
    # The destination has the state, and nothing is left behind.
    assert [each.name for each in loader.home.rglob("*") if each.is_file()] == ["lock"]
    assert {each.name for each in loader.folder.iterdir()} == {"dlt", file.name}
    longer, gone = date(2025, 9, 17), date(2025, 9, 16)
    before = table(query, DAILY)
    company.restate(longer, "sms-outbound-longcode", price_factor=Decimal("1.25"))
    company.restate(gone, "calls-outbound", price=Decimal(0))
    run = loader.run(destination, **settings(server, lookback_days=5))
    assert "loading 2025-09-15..2025-09-20 (6 days)" in run.log
    assert len(table(query, DAILY)) == len(before)
    reconciles(query)
    for day in (longer, gone):
        total = query(f"SELECT SUM(deduplicated_price) FROM {DAILY} WHERE start_date = '{day}'")
        assert total == [(company.total(day),)]
    run = loader.run(destination, "--full-refresh", **settings(server, lookback_days=5))
    assert "loading 2025-09-01..2025-09-20 (20 days)" in run.log
    assert len(table(query, DAILY)) == len(before)


@pytest.mark.nightly
def test_what_was_read_before_a_failure_is_loaded(loader: Loader, file: Path) -> None:
    days: Days = {f"2026-01-{n:02}": {"calls": "1", "totalprice": "1"} for n in range(1, 32)}
    answers, broken = account(days), True

    def answer(request: Request) -> Answer:
        if broken and request.query.get("StartDate", "") > "2026-01-10" and "Daily" in request.path:
            return Answer.error(403, 20003, "Forbidden")
        return answers(request)

    with serve(answer) as server:
        options = f"--destination=duckdb:///{file}", f"--select={DAILY}"
        config = of_january(server.url, page_size=10)
        assert "403" in loader.fails(*options, **config)
        (before,) = in_duckdb(file)(f"SELECT COUNT(*) FROM {DAILY}")
        assert 0 < before[0] < 62
        broken = False
        loader.run(*options, **config)
    assert in_duckdb(file)(f"SELECT COUNT(*) FROM {DAILY}") == [(62,)]


# Where a process ends: a method of dlt or of ours, at the start of its first call.
POINTS = {
    "the_first_rows": "tap_twilio_usage.dlt.spool:Spool.batches",
    "before_normalizing": "dlt.pipeline.pipeline:Pipeline.normalize",
    "before_loading": "dlt.pipeline.pipeline:Pipeline.load",
    "before_merging": "dlt.load.load:Load.create_followup_jobs",
    "before_completion": "dlt.load.load:Load.complete_package",
}
KILLED = """
import importlib, os, signal, sys
module, _, path = sys.argv.pop(1).partition(":")
owner, _, name = path.partition(".")
setattr(
    getattr(importlib.import_module(module), owner),
    name,
    lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL),
)
from tap_twilio_usage.dlt.__main__ import main
main()
"""


@pytest.mark.parametrize(
    "point",
    [
        pytest.param(point, id=name, marks=() if name == "before_merging" else pytest.mark.nightly)
        for name, point in POINTS.items()
    ],
)
def test_a_run_after_a_killed_run_completes_the_same_rows(
    loader: Loader, server: Server, database: str, query: Query, point: str
) -> None:
    """The first run is killed, and so is one with a state."""
    killed = (sys.executable, "-c", KILLED, point)
    options = f"--destination={database}", f"--select={DAILY}"
    for end in ("2025-09-10", "2025-09-20"):
        config = settings(server, end_date=end)
        loader.run(*options, command=killed, code=-signal.SIGKILL, **config)
        loader.run(*options, **config)
    reconciles(query)
    days = query(f"SELECT start_date, SUM(deduplicated_price) FROM {DAILY} GROUP BY start_date")
    assert all(total == server.company.total(day) for day, total in days)


@pytest.mark.parametrize("signum", nightly_except({signal.SIGINT}, [signal.SIGINT, signal.SIGTERM]))
def test_a_signal_ends_the_run_in_one_line(
    loader: Loader, company: Company, file: Path, signum: signal.Signals
) -> None:
    with Server(company, latency=1) as server:
        process = loader.start(f"--destination=duckdb:///{file}", **settings(server))
        until(lambda: bool(server.requests))
        process.send_signal(signum)
        _, log = process.communicate(timeout=30)
    assert process.returncode == 128 + signum
    assert log.splitlines()[-1].endswith(
        f"stopped by signal {signum:d}; the next run resumes from the last STATE"
    )
    assert "Traceback" not in log


@pytest.mark.nightly
def test_a_second_run_at_the_same_time_ends_in_one_line(
    loader: Loader, company: Company, file: Path
) -> None:
    with Server(company, latency=0.3) as server:
        destination = f"--destination=duckdb:///{file}"
        with loader.start(destination, **settings(server)) as first:
            until(lambda: bool(server.requests))
            assert loader.fails(destination, **settings(server)) == (
                "another run is loading the dataset tap_twilio_usage; run the command again after "
                "its end"
            )
            # Another destination, though, and a pipeline of the user's own, are not in the way.
            own = loader.home / "pipelines" / "tap_twilio_usage" / "state.json"
            own.parent.mkdir()
            own.write_text("{}")
            other = file.with_name("other.duckdb")
            loader.run(f"--destination=duckdb:///{other}", **settings(server))
            _, log = first.communicate(timeout=60)
    assert own.read_text() == "{}"
    assert first.returncode == 0, log
    reconciles(in_duckdb(file))
    reconciles(in_duckdb(other))


@pytest.mark.parametrize(
    ("destination", "reason"),  # a URL with a password, and each kind of reason
    [
        (f"postgresql://bob:{PASSWORD}@127.0.0.1:1/db", "Connection refused; once it can, "),
        nightly(
            f"postgresql://bob:[{PASSWORD}@127.0.0.1:port/db", "is not a valid URL for this dest"
        ),
        nightly(
            f"nonsense://bob:{PASSWORD}@127.0.0.1/db", "dlt has no such destination; use a URL such"
        ),
        nightly(
            "nonsense", "dlt has no such destination; use a URL such as duckdb:///usage.duckdb, or"
        ),
        nightly(f"mssql://sa:{PASSWORD}@127.0.0.1/db", "not installed; pip install 'dlt[mssql]'"),
        ("snowflake", "`credentials`; use a URL, or set it in .dlt/secrets.toml or in the envi"),
        nightly("duckdb:////nonexistent/usage.duckdb", "No such file or directory; once it can, "),
        nightly(
            "duckdb:///usage.duckdb --pipeline=a/b", "--pipeline: may contain only letters, digi"
        ),
        nightly(
            "duckdb:///usage.duckdb --select=calls", "--select: 'calls' is not a stream; use one of"
        ),
    ],
)
def test_a_destination_that_cannot_be_used_is_one_line(
    loader: Loader, destination: str, reason: str
) -> None:
    with serve(account({})) as server:
        assert reason in loader.fails(
            *f"--destination={destination}".split(" "), **of_january(server.url)
        )
        assert server.requests == []


def test_without_the_extra_one_line_says_how_to_install_it(loader: Loader) -> None:
    code = "import sys; sys.modules['dlt'] = None; from tap_twilio_usage.dlt.__main__ import main; "
    bare = (sys.executable, "-c", f"{code}main()")
    said = loader.fails("--destination=duckdb:///usage.duckdb", command=bare)
    assert said == "dlt is not installed; pip install 'tap-twilio-usage[dlt]'"
    with loader.start("--help", command=bare) as process:
        assert "--destination" in process.communicate(timeout=60)[0]


def test_settings_are_checked_as_by_the_tap(loader: Loader, file: Path) -> None:
    config = {"account_sid": SID, "auth_token": TOKEN, "start_date": "2026-13-01"}
    assert loader.fails(f"--destination=duckdb:///{file}", **config) == (
        "start_date: '2026-13-01' is not a valid date; use YYYY-MM-DD"
    )


@pytest.fixture
def change(database: str) -> Callable[..., None]:
    """Return a function that runs statements."""

    def change(*statements: str) -> None:
        with psycopg.connect(database, options=f"-c search_path={SCHEMA}") as connection:
            for statement in statements:
                connection.execute(statement)

    return change


def test_a_table_of_other_types_is_one_line_and_the_next_run_completes(
    loader: Loader, server: Server, database: str, query: Query, change: Callable[..., None]
) -> None:
    options, config = (f"--destination={database}", f"--select={DAILY}"), settings(server)
    change(
        "CREATE SCHEMA tap_twilio_usage",
        f"CREATE TABLE {DAILY} (start_date TEXT, price DOUBLE PRECISION, usage NUMERIC(12, 4))",
    )
    reason = loader.fails(*options, **config)
    for column in (
        "start_date is text, not date",
        "price is double(53), not decimal(38,12)",
        "usage is decimal(12,4), not decimal(38,12)",
    ):
        assert f"{DAILY}.{column}" in reason
    change(f"DROP TABLE {DAILY}")
    loader.run(*options, **config)
    reconciles(query)


@pytest.mark.nightly
def test_a_table_that_was_changed_by_hand_is_one_line_and_the_next_run_completes(
    loader: Loader, server: Server, database: str, query: Query, change: Callable[..., None]
) -> None:
    options, config = (f"--destination={database}", f"--select={DAILY}"), settings(server)
    loader.run(*options, **config)
    loaded = query(f"SELECT COUNT(*), SUM(price) FROM {DAILY}")
    change(f"DROP TABLE {DAILY}")
    assert loader.fails(*options, **config) == (
        "the dataset tap_twilio_usage has lost what earlier runs have loaded: usage_records_daily; "
        "set --full-refresh to load everything again"
    )
    loader.run(*options, "--full-refresh", **config)
    change(f"DELETE FROM {DAILY}", f"CREATE UNIQUE INDEX one ON {DAILY} (category)")
    assert "duplicate key value violates unique constraint" in loader.fails(
        *options, "--full-refresh", **config
    )
    assert query(f"SELECT COUNT(*) FROM {DAILY}") == [(0,)]
    change("DROP INDEX one", f"ALTER TABLE {DAILY} DROP COLUMN service")
    assert f"{DAILY}.service" in loader.fails(*options, **config)
    loader.run(*options, "--full-refresh", **config)
    assert query(f"SELECT COUNT(*), SUM(price) FROM {DAILY}") == loaded
    assert query(f"SELECT COUNT(*) FROM {DAILY} WHERE service IS NULL") == [(0,)]


@pytest.mark.nightly
def test_stream_maps_and_their_streams_and_keys_pass_through(
    loader: Loader, sync: Sync, server: Server, file: Path
) -> None:
    maps = {
        "spend": {
            "__source__": DAILY,
            "__filter__": "counts_in_total",
            "__key_properties__": ["category", "start_date"],
            "__else__": None,
            "category": "category",
            "start_date": "start_date",
            "words": "str(price)",
            "spend": "deduplicated_price",
        },
        "focus_cost_and_usage": {"__alias__": "costs"},
    }
    config = settings(server, stream_maps=maps, focus=True, end_date="2025-09-03")
    run = sync(config)
    assert run.code == 0
    loader.run(f"--destination=duckdb:///{file}", **config)
    assert {"spend", "costs", DAILY} <= run.schemas().keys()
    has_the_rows_of_the_singer_door(in_duckdb(file), run)


@pytest.mark.nightly
def test_files_are_delta_tables_or_only_grow(loader: Loader, server: Server) -> None:
    folder = loader.folder / "files"
    options, config = (f"--destination=file://{folder}", f"--select={DAILY}"), settings(server)
    for _ in range(2):
        loader.run(*options, "--table-format=delta", **config)
    delta = DeltaTable(folder / "tap_twilio_usage" / DAILY).to_pyarrow_table()
    assert f"{delta.schema.field('price').type}" == "decimal128(38, 12)"
    assert f"{delta.schema.field('start_date').type}" == "date32[day]"
    with duckdb.connect() as connection:
        connection.register(DAILY, delta)
        reconciles(lambda statement: connection.execute(statement).fetchall())
    options = f"--destination=file://{folder}2", f"--select={DAILY}"
    logs = [loader.run(*options, **config).log for _ in range(2)]
    assert all("each run adds its rows to the files; to update rows, set" in log for log in logs)
    with duckdb.connect() as connection:
        connection.execute(
            f"CREATE VIEW {DAILY} AS SELECT * FROM '{folder}2/tap_twilio_usage/{DAILY}/*.parquet' "
            "QUALIFY RANK() OVER (ORDER BY _dlt_load_id DESC) = 1"
        )
        reconciles(lambda statement: connection.execute(statement).fetchall())
