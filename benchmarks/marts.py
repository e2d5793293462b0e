"""The dbt package on invented spending, in a DuckDB file."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import yaml

from benchmarks.spending import Row
from benchmarks.surroundings import ROOT, environment
from tap_twilio_usage.money.hierarchy import shipped

# Installed once for all benchmarks, with the requirements of meltano.yml.
DBT = ROOT / ".benchmarks" / "dbt-models"
TABLES = """
CREATE SCHEMA tap_twilio_usage;
CREATE TABLE spending (
    company VARCHAR, day DATE, category VARCHAR, usage BIGINT, price DECIMAL(38, 12)
);
CREATE TABLE accounts (account_sid VARCHAR, company VARCHAR, first_day DATE, last_day DATE);
CREATE TABLE tap_twilio_usage.categories (
    category VARCHAR, description VARCHAR, parent_category VARCHAR, also_included_in VARCHAR,
    service VARCHAR, level INTEGER, role VARCHAR, billing_kind VARCHAR, count_unit VARCHAR,
    usage_unit VARCHAR, is_known BOOLEAN, is_reported BOOLEAN, confidence VARCHAR,
    counts_in_total BOOLEAN
);
"""
RECORDS = """
CREATE TABLE tap_twilio_usage.usage_records_daily AS
WITH own AS (
    SELECT accounts.account_sid, accounts.last_day, spending.*
    FROM accounts JOIN spending
        ON accounts.company = spending.company
        AND spending.day BETWEEN accounts.first_day AND accounts.last_day
), entries AS (
    SELECT account_sid, last_day, day, category, usage, price, price AS counted,
           'leaf' AS dedup_role
    FROM own
    UNION ALL
    SELECT account_sid, last_day, day, 'totalprice', SUM(usage), SUM(price), 0, 'total'
    FROM own GROUP BY ALL
)
SELECT account_sid, day AS start_date, day AS end_date, entries.category, NULL AS description,
       categories.service, categories.billing_kind, categories.parent_category, dedup_role,
       usage AS count, NULL AS count_unit, usage, NULL AS usage_unit, price,
       CAST(counted AS DECIMAL(38, 12)) AS deduplicated_price, 'USD' AS price_unit,
       TRUE AS counts_in_total, FALSE AS includes_subaccounts,
       CAST(last_day + 1 AS TIMESTAMP) AS as_of
FROM entries JOIN tap_twilio_usage.categories AS categories
    ON entries.category = categories.category
"""


class Account(NamedTuple):
    """An account that has the spending of a company, of some days."""

    sid: str
    company: str
    first_day: date
    last_day: date


def load(path: Path, rows: Iterable[Row], accounts: Iterable[Account]) -> None:
    """Write the tables that the tap would load."""
    table = shipped()
    with duckdb.connect(str(path)) as connection:
        connection.execute(TABLES)
        categories = (
            (c.category, None, c.parent, None, c.service, table.level(c.category), None)
            for c in table.categories.values()
        )
        kinds = (
            (c.billing_kind, None, None, True, True, c.confidence, True)
            for c in table.categories.values()
        )
        tables: dict[str, Iterable[Sequence[Any]]] = {
            "spending": rows,
            "accounts": accounts,
            "tap_twilio_usage.categories": map(tuple.__add__, categories, kinds),
        }
        for name, values in tables.items():
            _fill(connection, name, values, path.with_suffix(".csv"))
        connection.execute(RECORDS)


def _fill(
    connection: duckdb.DuckDBPyConnection, table: str, rows: Iterable[Sequence[Any]], file: Path
) -> None:
    with file.open("w", encoding="utf-8", newline="") as target:
        csv.writer(target).writerows(rows)
    connection.execute(f"COPY {table} FROM '{file}' (HEADER FALSE)")
    file.unlink()


def build(
    path: Path,
    select: Sequence[str],
    inputs: dict[str, str] | None = None,
    variables: dict[str, Any] | None = None,
) -> None:
    """Run the models, on a copy of the package that has the inputs: the text of seeds by name."""
    package = path.with_suffix(".dbt")
    shutil.copytree(ROOT / "dbt", package, ignore=shutil.ignore_patterns("target", "logs"))
    for name, text in (inputs or {}).items():
        (package / "seeds" / f"{name}.csv").write_text(text, "utf-8")
    command = [dbt(), "build", "--resource-type", "model", "--resource-type", "seed"]
    command += ["--select", *select, "--project-dir", package]
    command += ["--profiles-dir", package, "--vars", yaml.safe_dump(variables or {})]
    done = subprocess.run(  # noqa: S603
        [str(part) for part in command],
        env={
            **environment(),
            "DBT_TARGET": "duckdb",
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "TARGET_DUCKDB_PATH": str(path),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"dbt build failed:\n{done.stdout}{done.stderr}")


def dbt() -> Path:
    """Return the command, which is installed if it is not there yet."""
    if named := os.environ.get("BENCHMARKS_DBT"):
        return Path(named)
    command = DBT / "bin" / "dbt"
    if not command.exists():
        plugins = yaml.safe_load((ROOT / "meltano.yml").read_text("utf-8"))["plugins"]["utilities"]
        adapters = ("dbt-duckdb", "dbt-postgres")
        needs = " ".join(plugin["pip_url"] for plugin in plugins if plugin["name"] in adapters)
        uv = Path(sys.executable).with_name("uv")
        subprocess.run([uv, "venv", "-q", "-p", sys.executable, DBT], check=True)  # noqa: S603
        python = DBT / "bin" / "python"
        # With the DuckDB of this process: an older one cannot open its files.
        dbt_only = {need for need in needs.split() if not need.startswith("duckdb")}
        duckdb_too = f"duckdb=={duckdb.__version__}"
        install: list[str | Path] = [
            uv,
            "pip",
            "install",
            "-q",
            "-p",
            python,
            *map(str, sorted(dbt_only)),
            duckdb_too,
        ]
        subprocess.run(install, check=True)  # noqa: S603
    return command


def query(path: Path, statement: str, *values: str | date) -> list[tuple[Any, ...]]:
    """Return the rows of a query, whose ? are the values."""
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(statement, values).fetchall()
