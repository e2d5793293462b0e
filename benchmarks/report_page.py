"""`python -m benchmarks.report_page` measures the report on a year of 200 accounts.

Twilio lists 133 categories a day of them: 9.7 million rows, of which 20 a day have an amount. CPU
and memory are those of the report's process: with PostgreSQL, the server is not counted; DuckDB
runs within the process, so its own work and memory are. `--quick` checks that everything works.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import psycopg

from benchmarks.postgres import postgres
from benchmarks.report import Table, Target, say
from benchmarks.runs import MEGABYTE, Cost, spend

SCHEMA = "tap_twilio_usage"
TABLE = f"{SCHEMA}.usage_records_daily"
CATEGORIES, USED = 132, 20  # besides totalprice
MOST_SECONDS, MOST_MEMORY, MOST_BYTES = 15, 200, 2_000_000
COLUMNS = (
    "account_sid text, includes_subaccounts boolean, price_unit text, start_date date, "
    "category text, service text, billing_kind text, usage numeric(38, 12), usage_unit text, "
    "price numeric(38, 12), deduplicated_price numeric(38, 12), as_of timestamptz"
)
# Weekends are quiet, accounts differ, and the last of the used categories is charged on the 1st.
ROWS = """
SELECT 'AC' || LPAD(CAST(account AS VARCHAR), 32, '0') AS account_sid, FALSE, 'usd',
       CAST(DATE '2025-01-01' + CAST(day AS INT) AS DATE) AS start_date,
       'category-' || category AS category, 'Service ' || category % 15 AS service,
       CASE WHEN category = 20 THEN 'recurring' ELSE 'usage' END,
       amount * 100, 'units', amount AS price, amount AS deduplicated_price,
       CAST(DATE '2025-01-02' + CAST(day AS INT) AS TIMESTAMPTZ)
FROM RANGE(1, {accounts} + 1) AS a(account), RANGE({days}) AS d(day),
     RANGE(1, {categories} + 1) AS c(category),
     LATERAL (SELECT CAST(CASE
         WHEN category > {used} THEN 0
         WHEN category = 20 THEN CASE WHEN day % 30 = 0 THEN 90 ELSE 0 END
         ELSE (account % 17 + 1) * category * (CASE WHEN day % 7 < 5 THEN 0.013 ELSE 0.004 END)
     END AS DECIMAL(38, 12)) AS amount) AS charged
"""
TOTALS = f"""
INSERT INTO {TABLE}
SELECT account_sid, FALSE, 'usd', start_date, 'totalprice', 'Unattributed', 'total', 0, 'usd',
       SUM(deduplicated_price), 0, MAX(as_of)
FROM {TABLE} GROUP BY account_sid, start_date
"""  # noqa: S608


def main() -> int:
    """Run it. The exit code is 1 if a target is missed, except with `--quick`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report_page", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, without targets")
    quick = parser.parse_args().quick
    accounts, days = (30, 40) if quick else (200, 365)
    with TemporaryDirectory() as folder:
        targets = list(_measured(Path(folder), accounts, days))
    say("")
    for target in targets if not quick else ():
        say(str(target))
    return int(not quick and not all(target.holds for target in targets))


def _measured(folder: Path, accounts: int, days: int) -> Iterator[Target]:
    file = folder / "warehouse.duckdb"
    rows = _fill(file, accounts, days)
    say(f"{accounts} accounts x {days} days: {rows:,} rows")
    table = Table("warehouse", "wall s", "CPU s", "peak MB", "page kB")
    for line in table.head():
        say(line)
    pages = []
    with postgres() as server:
        uri = f"{server}/postgres"
        _copy(file, folder / "rows.csv", uri)
        for name, url in (("PostgreSQL", uri), ("DuckDB", f"duckdb:///{file}")):
            page = folder / f"{name}.html"
            cost = _report(url, page, folder)
            size = page.stat().st_size
            say(table.row(name, cost.wall, cost.cpu, cost.peak, size / 1000))
            yield Target(f"{name}: seconds of CPU", cost.cpu, most=MOST_SECONDS)
            yield Target(f"{name}: megabytes of memory", cost.peak, most=MOST_MEMORY)
            yield Target(f"{name}: bytes of the page", size, most=MOST_BYTES)
            pages.append(page.read_text("utf-8").partition("<main>")[2].partition("<footer>")[0])
    if pages[0] != pages[1]:
        raise SystemExit("the two pages differ")


def _report(url: str, page: Path, folder: Path) -> Cost:
    options = ("--url", url, "--output", str(page), "--since", "2025-01-01")
    command = [sys.executable, "-m", "tap_twilio_usage.report", *options]
    return spend(command, folder / "said.txt")


def _fill(file: Path, accounts: int, days: int) -> int:
    with duckdb.connect(str(file)) as connection:
        connection.execute(f"CREATE SCHEMA {SCHEMA}; CREATE TABLE {TABLE} ({COLUMNS})")
        rows = ROWS.format(accounts=accounts, days=days, categories=CATEGORIES, used=USED)
        connection.execute(f"INSERT INTO {TABLE} {rows}")
        connection.execute(TOTALS)
        (count,) = _first(connection.execute(f"SELECT COUNT(*) FROM {TABLE}").fetchall())  # noqa: S608
        return int(count)


def _first(rows: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    return rows[0]


def _copy(file: Path, rows: Path, uri: str) -> None:
    with duckdb.connect(str(file), read_only=True) as connection:
        connection.execute(f"COPY {TABLE} TO '{rows}' (HEADER false)")
    with psycopg.connect(uri) as server, server.cursor() as cursor, rows.open("rb") as text:
        cursor.execute(f"CREATE SCHEMA {SCHEMA}; CREATE TABLE {TABLE} ({COLUMNS})")
        with cursor.copy(f"COPY {TABLE} FROM STDIN (FORMAT csv)") as copy:
            while block := text.read(MEGABYTE):
                copy.write(block)
    rows.unlink()


if __name__ == "__main__":
    sys.exit(main())
