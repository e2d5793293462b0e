"""`python -m benchmarks.models` measures the dbt models on two years of 200 accounts.

Twilio would list 13 million rows of them, of which the tap stores 3 million. The first build has
all days but the last one. The second one has that day too, and the 35 days before it were read
again. The floor is a build of the same models and tests without any row: what dbt takes by itself.
CPU time and memory are those of dbt, which runs DuckDB itself, and of PostgreSQL. `--quick` checks
with small sizes that everything works.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import duckdb
import psycopg

from benchmarks.case import TODAY, Case
from benchmarks.destinations import LOAD
from benchmarks.marts import dbt
from benchmarks.postgres import postgres
from benchmarks.report import Table, Target, say
from benchmarks.runs import MEGABYTE, spend
from benchmarks.sandboxed import Sandbox
from benchmarks.sizes import AGE, FEW
from benchmarks.surroundings import ROOT
from benchmarks.tools import Tap, Task

READ = 10  # accounts that the sandbox has; the others are copies
CATEGORIES = 19  # of an account, besides totalprice; the money of the others is left there
LAPTOP = 8000  # MB
SCHEMA = "tap_twilio_usage"
TABLES = ("usage_records_daily", "accounts", "usage_reconciliation", "categories")
ROWS = TABLES[:3]  # what a warehouse without any usage lacks
COPIES = f"""
CREATE TABLE ranked AS
SELECT account_sid, category,
       ROW_NUMBER() OVER (PARTITION BY account_sid ORDER BY SUM(deduplicated_price) DESC) AS place
FROM {SCHEMA}.usage_records_daily WHERE dedup_role <> 'total' GROUP BY account_sid, category;

CREATE TABLE kept AS
SELECT records.* REPLACE (
    CASE WHEN dedup_role = 'total' THEN price - COALESCE(SUM(
        CASE WHEN dedup_role <> 'total' THEN deduplicated_price END
    ) OVER (PARTITION BY account_sid, start_date), 0) ELSE deduplicated_price END
    AS deduplicated_price
)
FROM {SCHEMA}.usage_records_daily AS records LEFT JOIN ranked USING (account_sid, category)
WHERE dedup_role = 'total' OR place <= {CATEGORIES};

CREATE OR REPLACE TABLE {SCHEMA}.usage_records_daily AS
SELECT kept.* REPLACE (
    'AC' || LPAD(CAST(CAST(RIGHT(account_sid, 2) AS INT) + {READ} * copy AS VARCHAR), 32, '0')
    AS account_sid
)
FROM kept, RANGE(?) AS copies(copy) ORDER BY start_date;
DROP TABLE kept;
DROP TABLE ranked;
"""  # noqa: S608
LATER = f"""
INSERT INTO {SCHEMA}.usage_records_daily SELECT * FROM later;
UPDATE {SCHEMA}.usage_records_daily SET as_of = as_of + INTERVAL '1 day'
WHERE start_date >= DATE '{TODAY - timedelta(days=35)}';
"""  # noqa: S608
DIFFERENCE = f"""
SELECT SUM(cost) - (SELECT SUM(deduplicated_price) FROM {SCHEMA}.usage_records_daily)
FROM twilio_usage.{{}}
"""  # noqa: S608


class Build(NamedTuple):
    """The cost of a build: seconds of wall and CPU time, and megabytes."""

    wall: float
    cpu: float
    peak: float


class Builds(NamedTuple):
    """The two builds, one without rows, and by how much the marts differ from the total."""

    first: Build
    second: Build
    floor: Build
    difference: float

    def ratios(self) -> Iterator[tuple[str, float]]:
        """Yield the second build in times of the first, by what is compared."""
        first, second, floor = self.first, self.second, self.floor
        yield "second build, times the first", second.wall / first.wall
        rest = max(first.wall - floor.wall, 0.001)
        yield "the same, both less the floor", (second.wall - floor.wall) / rest
        rest = max(first.cpu - floor.cpu, 0.001)
        yield "the same, of CPU time", (second.cpu - floor.cpu) / rest


def main() -> int:
    """Print a table and the targets. The exit code is 1 if one is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.models", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes")
    options = parser.parse_args()
    days, copies = (40, 1) if options.quick else (730, 200 // READ)
    table, targets = Table("build", "wall s", "CPU s", "peak MB"), list[Target]()
    with TemporaryDirectory() as home:
        raw = Path(home, "raw.duckdb")
        rows = _read(raw, days, copies)
        say(f"### {READ * copies} accounts, {days} days, {rows:,} rows\n")
        for line in table.head():
            say(line)
        for name, measure in (("DuckDB", _in_duckdb), ("PostgreSQL", _in_postgres)):
            builds = measure(raw, Path(home))
            for what in ("first", "second", "floor"):
                say(table.row(f"{name}: {what}", *getattr(builds, what)))
            peak = max(builds.first.peak, builds.second.peak)
            targets += [
                Target(f"{name}: peak MB", peak, LAPTOP),
                *(Target(f"{name}: {what}", ratio, 0.1) for what, ratio in builds.ratios()),
                Target(f"{name}: difference to the total", abs(builds.difference), 0),
            ]
    say("\n### Targets\n")
    for target in targets:
        say(f"{target}")
    return 0 if options.quick or all(target.holds for target in targets) else 1


def _read(raw: Path, days: int, copies: int) -> int:
    """Load accounts of the sandbox with dlt, and copy them; return the number of rows."""
    case = Case(days, accounts=READ, age=AGE, categories=FEW)
    with Sandbox(case) as sandbox, TemporaryDirectory() as folder:
        config = Path(folder, "config.json")
        config.write_text(json.dumps(Tap("tap").settings(Task(case, sandbox.url))))
        selected = [f"--select={name}" for name in TABLES]
        command = [LOAD, f"--config={config}", f"--destination=duckdb:///{raw}", *selected]
        spend(["/usr/bin/env", f"DLT_DATA_DIR={folder}", *map(str, command)], Path(folder, "log"))
    with duckdb.connect(f"{raw}") as connection:
        *others, copy, drop, drop_too = filter(str.strip, COPIES.split(";"))
        for statement in others:
            connection.execute(statement)
        connection.execute(copy, [copies])
        connection.execute(f"{drop};{drop_too}")
        connection.execute(
            f"CREATE TABLE later AS SELECT * FROM {SCHEMA}.usage_records_daily "  # noqa: S608
            f"WHERE start_date = DATE '{TODAY}'"
        )
        (rows,) = _one(connection, f"SELECT COUNT(*) FROM {SCHEMA}.usage_records_daily")  # noqa: S608
        for table in ("usage_records_daily", "usage_reconciliation"):
            connection.execute(f"DELETE FROM {SCHEMA}.{table} WHERE start_date = DATE '{TODAY}'")  # noqa: S608
    return int(rows)


def _in_duckdb(raw: Path, home: Path) -> Builds:
    path = home / "models.duckdb"
    shutil.copy(raw, path)
    variables = {"DBT_TARGET": "duckdb", "TARGET_DUCKDB_PATH": f"{path}"}
    first = _build(home, variables)
    with duckdb.connect(f"{path}") as connection:
        connection.execute(LATER)
    second = _build(home, variables)
    with duckdb.connect(f"{path}", read_only=True) as connection:
        differences = [_one(connection, DIFFERENCE.format(mart))[0] for mart in _marts()]
    path.unlink()
    shutil.copy(raw, path)
    with duckdb.connect(f"{path}") as connection:
        for table in ROWS:
            connection.execute(f"DELETE FROM {SCHEMA}.{table}")  # noqa: S608
    floor = _build(home, variables)
    path.unlink()
    return Builds(first, second, floor, float(max(map(abs, differences))))


def _in_postgres(raw: Path, home: Path) -> Builds:
    with postgres() as url, psycopg.connect(f"{url}/postgres", autocommit=True) as connection:
        _copy(raw, home / "rows.csv", connection)
        host, port = url.rpartition("@")[2].split(":")
        names = {"HOST": host, "PORT": port, "USER": "postgres", "PASSWORD": "-"}
        names["DATABASE"] = "postgres"
        variables = {f"TARGET_POSTGRES_{name}": value for name, value in names.items()}
        variables["DBT_TARGET"] = "postgres"
        (folder,) = _one(connection, "SHOW data_directory")
        server = Path("/proc", Path(folder, "postmaster.pid").read_text().split()[0])
        builds, differences = [], [0]
        emptied = "; ".join(f"TRUNCATE {SCHEMA}.{table}" for table in ROWS)
        for statement in ("ANALYZE", LATER, f"DROP SCHEMA twilio_usage CASCADE; {emptied}"):
            connection.execute(statement)
            before = _cpu(server)
            with _memory_of(server) as peak:
                build = _build(home, variables)
            cpu = build.cpu + _cpu(server) - before
            builds.append(Build(build.wall, cpu, build.peak + max(peak)))
            if statement == LATER:
                differences = [_one(connection, DIFFERENCE.format(mart))[0] for mart in _marts()]
    first, second, floor = builds
    return Builds(first, second, floor, float(max(map(abs, differences))))


def _copy(raw: Path, file: Path, target: psycopg.Connection[Any]) -> None:
    """Copy the tables to PostgreSQL, with the keys that a loader would create."""
    target.execute(f"CREATE SCHEMA {SCHEMA}")
    with duckdb.connect(f"{raw}", read_only=True) as source:
        for table in (*(f"{SCHEMA}.{name}" for name in TABLES), "later"):
            described = source.execute(f"DESCRIBE {table}").fetchall()
            columns = [
                f'"{name}" {kind.replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ")}'
                for name, kind, *_ in described
            ]
            target.execute(f"CREATE TABLE {table} ({', '.join(columns)})")
            source.execute(f"COPY {table} TO '{file}' (HEADER)")
            with (
                file.open("rb") as rows,
                target.cursor() as cursor,
                cursor.copy(f"COPY {table} FROM STDIN CSV HEADER") as copy,
            ):
                while part := rows.read(MEGABYTE):
                    copy.write(part)
            file.unlink()
    target.execute(
        f"ALTER TABLE {SCHEMA}.usage_records_daily "
        "ADD PRIMARY KEY (account_sid, category, start_date)"
    )


def _build(home: Path, variables: dict[str, str]) -> Build:
    """Build the models, with the demo's inputs, and run their tests."""
    package = home / "dbt"
    if not package.exists():
        ignored = shutil.ignore_patterns("target", "logs")
        shutil.copytree(ROOT / "dbt", package, ignore=ignored)
        shutil.copytree(ROOT / "sandbox" / "seeds", package / "seeds", dirs_exist_ok=True)
    words = ["--quiet", "build", "--project-dir", package, "--profiles-dir", package]
    variables |= {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
    named = [f"{name}={value}" for name, value in variables.items()]
    log = home / "dbt.log"
    try:
        return Build(*spend(["/usr/bin/env", *named, *map(str, [dbt(), *words])], log))
    except SystemExit:
        sys.stderr.write(log.read_text())
        raise


def _marts() -> Sequence[str]:
    """Return the marts that have all costs of all days."""
    return "cost_by_day", "allocated_cost", "cost_by_day_and_service", "customer_charges"


def _cpu(server: Path) -> float:
    """Return the CPU time of a server and of its processes that have ended."""
    ticks = (server / "stat").read_text().rpartition(")")[2].split()[11:15]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _memory_of(server: Path) -> Iterator[list[float]]:
    """Yield a list to which the memory of the server's processes is added until the end, in MB."""
    found, ended = [0.0], threading.Event()

    def watch() -> None:
        while not ended.wait(0.5):
            found.append(sum(_memory(each, server) for each in Path("/proc").glob("[0-9]*")))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield found
    finally:
        ended.set()
        watcher.join()


def _memory(process: Path, server: Path) -> float:
    """Return the memory of a process of the server, its part of what is shared included; else 0."""
    try:
        parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
        if server.name not in (process.name, parent):
            return 0.0
        lines = (process / "smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) * 1024 for line in lines if line[:4] == "Pss:") / MEGABYTE
    except OSError:  # it has ended
        return 0.0


def _one(connection: Any, statement: str) -> tuple[Any, ...]:
    row: tuple[Any, ...] = connection.execute(statement).fetchone()
    return row


if __name__ == "__main__":
    sys.exit(main())
