"""The dbt package on warehouses that are not here.

On an emulator of Snowflake (fakesnow, on top of DuckDB) it is run. For BigQuery, Redshift and
Databricks it is compiled and parsed, not run.
"""

from __future__ import annotations

import json
import pickle
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox import AUTH_TOKEN, MAIN_SID, Company, Server
from tests.conftest import (
    DAYS,
    FIRST,
    LAST,
    ROOT,
    Rows,
    Sync,
    blocks,
    catalog_of,
    clean_environment,
    install,
    once_for_all,
)
from tests.test_dbt import check_marts, check_months

pytestmark = pytest.mark.nightly

# fakesnow 0.12 brings the sqlglot that parses what is compiled.
ADAPTERS = ("dbt-bigquery", "dbt-databricks", "dbt-redshift", "dbt-snowflake")
UTILITIES = yaml.safe_load((ROOT / "meltano.yml").read_text())["plugins"]["utilities"]
INSTALLED = {u["name"]: u["pip_url"].split() for u in UTILITIES if u["name"] in ADAPTERS}
STREAMS = ("usage_records_daily", "categories", "usage_reconciliation")
COLUMN_TYPES = {
    "array": "variant",
    "boolean": "boolean",
    "date": "date",
    "date-time": "timestamp_ntz",
    "integer": "number(38, 0)",
    "string": "varchar",
}
Script = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Return the Python of an environment with the adapters, installed once for all workers."""
    needs = sorted({need for needs in INSTALLED.values() for need in needs})
    made = once_for_all(
        tmp_path_factory,
        worker_id,
        "adapters",
        lambda each: install(each, "fakesnow~=0.12.1", *needs),
    )
    return made / "bin" / "python"


@pytest.fixture
def script(python: Path, tmp_path: Path) -> Script:
    """Return a function that runs tests/dbt_adapters.py on a copy of the package."""

    def run(
        *arguments: str | Path, package: Path = ROOT / "dbt"
    ) -> subprocess.CompletedProcess[str]:
        folders = {
            "project-dir": package,
            "profiles-dir": ROOT / "dbt",
            "target-path": tmp_path / "target",
            "log-path": tmp_path / "logs",
        }
        options = [part for name, path in folders.items() for part in (f"--{name}", path)]
        return subprocess.run(
            [python, "-W", "ignore", ROOT / "tests" / "dbt_adapters.py", *arguments, *options],
            env={
                **clean_environment(),
                **dict.fromkeys(settings(), "unused"),
                "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
                "TARGET_SNOWFLAKE_DATABASE": "ANALYTICS",
            },
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


def settings() -> set[str]:
    """Return the variables that the profiles read."""
    return set(re.findall(r"env_var\('(\w+)'\)", (ROOT / "dbt" / "profiles.yml").read_text()))


MODELS = list((ROOT / "dbt" / "models").rglob("*.sql"))
MARTS = [path.stem for path in MODELS if path.parent.name == "marts"]
PARSE = """
import sys, pathlib, sqlglot
from sqlglot import exp
dialect, folder = sys.argv[1:]
paths = list(pathlib.Path(folder).rglob('*.sql'))
types = set()
for path in paths:
    (tree,) = sqlglot.parse(path.read_text(), dialect=dialect)
    assert not [*tree.find_all(exp.Filter, exp.Command)], path
    types |= {cast.to.sql(dialect).lower() for cast in tree.find_all(exp.Cast)}
print(len(paths), *types, sep='|')
"""
COMMON_TYPES = {"date", "timestamp"}
DIGITS = ("38, 12", "18, 2", "18, 6", "18, 15", "24, 12", "13, 8")
DECIMALS = {f"decimal({digits})" for digits in DIGITS}
TYPES = {
    "bigquery": {"bignumeric", "bool", "datetime", "float64", "int64", "string"},
    "databricks": {"bigint", "boolean", *DECIMALS, "double", "int", "string"},
    "redshift": {
        "bigint",
        "boolean",
        *DECIMALS,
        "timestamp with time zone",
        "double precision",
        "integer",
        "varchar(max)",
    },
}


@pytest.mark.parametrize("streams", ["loaded", "missing", "several"])
@pytest.mark.parametrize("adapter", TYPES)
def test_each_model_and_test_compiles_and_parses(
    script: Script, python: Path, tmp_path: Path, adapter: str, streams: str
) -> None:
    names = {
        "twilio_usage_database": "raw",
        "twilio_usage_schema": "twilio",
        "twilio_usage_schemas": ["twilio", "another"] if streams == "several" else [],
        "twilio_usage_tables": {"usage_records_daily": "twilio_usage_records"},
    }
    done = script("compile", adapter, streams, f"--vars={json.dumps(names)}")
    assert done.returncode == 0, done.stdout
    folder = tmp_path / "target" / "compiled"
    (records,) = folder.rglob("stg_twilio_usage__usage_records_daily.sql")
    read = re.sub('["`]', "", records.read_text())
    assert "raw.twilio.twilio_usage_records" in read
    assert ("raw.another.twilio_usage_records" in read) == (streams == "several")
    (charges,) = folder.rglob("customer_charges.sql")
    assert ("where is_closed" in charges.read_text()) == (streams != "missing")
    command: list[str | Path] = [python, "-c", PARSE, adapter, folder]
    parsed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert parsed.returncode == 0, parsed.stderr
    number, *types = parsed.stdout.strip().split("|")
    tests = int(number) - len(MODELS)
    assert f"Found {len(MODELS)} models, {tests} data tests" in done.stdout
    assert {*types} == TYPES[adapter] | COMMON_TYPES


def literal(value: Any) -> str:
    if value is None or isinstance(value, list):  # no model computes with an array
        return "NULL"
    return "'{}'".format(str(value).replace("'", "''"))


def statements(sync: Sync, server: Server, number: str) -> Iterator[str]:
    """Yield what loads the streams into Snowflake; amounts are stored as the type `number`."""
    settings = {
        "account_sid": MAIN_SID,
        "auth_token": AUTH_TOKEN,
        "start_date": f"{FIRST}",
        "end_date": f"{LAST}",
        "api_url": server.url,
    }
    run = sync(settings, catalog=catalog_of(sync(settings, "--discover").catalog, *STREAMS))
    assert run.code == 0
    for stream in STREAMS:
        columns = {}
        for name, schema in run.schemas()[stream]["schema"]["properties"].items():
            kind = schema.get("format") or next(t for t in schema["type"] if t != "null")
            columns[name] = number if kind == "number" else COLUMN_TYPES[kind]
        yield f"create table {stream} ({', '.join(f'{n} {t}' for n, t in columns.items())})"
        rows = [
            f"({', '.join(literal(record.get(name)) for name in columns)})"
            for record in run.records(stream)
        ]
        for start in range(0, len(rows), 500):
            yield f"insert into {stream} values {', '.join(rows[start : start + 500])}"


@pytest.mark.parametrize("number", ["float", "number(38, 12)", "varchar"])
def test_an_emulator_of_snowflake_has_exact_marts(
    script: Script, sync: Sync, company: Company, tmp_path: Path, number: str
) -> None:
    """What target-snowflake makes of amounts: float, or number(38, 12) by use_singer_decimal."""
    by_service, check, *_ = blocks(ROOT / "README.md", "sql")
    (check_with_casts,) = (
        q for q in blocks(ROOT / "docs" / "warehouse.md", "sql") if "DECIMAL" in q
    )
    is_exact = number == "number(38, 12)"
    checks = [check_with_casts, check] if is_exact else [check_with_casts]
    queries = {mart: f"SELECT * FROM twilio_usage.{mart} ORDER BY 1, 2, 3" for mart in MARTS}
    with Server(company) as server:
        work = {
            "statements": list(statements(sync, server, number)),
            "queries": [*queries.values(), *checks, *([by_service] if is_exact else [])],
        }
    load, result = tmp_path / "load.json", tmp_path / "rows.pickle"
    load.write_text(json.dumps(work))
    done = script("snowflake", load, result, "build")
    assert done.returncode == 0, done.stdout + done.stderr
    rows: dict[str, Rows] = pickle.loads(result.read_bytes())

    def query(statement: str) -> Rows:
        (mart,) = re.findall(r"twilio_usage\.(\w+)", statement)
        return rows[queries[mart]]

    check_marts(query, company, {MAIN_SID: None})
    check_months(query, company, MAIN_SID)
    assert [rows[each] for each in checks] == [[] for _ in checks]
    if is_exact:
        assert sum(row[2] for row in rows[by_service]) == sum(map(company.total, DAYS))


def test_an_emulator_of_snowflake_fails_if_a_cast_rounds(script: Script, tmp_path: Path) -> None:
    package = tmp_path / "dbt"
    shutil.copytree(ROOT / "dbt", package, ignore=shutil.ignore_patterns("target"))
    macro = package / "macros" / "exact.sql"
    macro.write_text(macro.read_text().replace("decimal(38, 12)", "numeric"))
    load = tmp_path / "load.json"
    load.write_text(json.dumps({"statements": [], "queries": []}))
    test = ("test", "--select=amounts_are_exact")
    done = script("snowflake", load, tmp_path / "rows.pickle", *test, package=package)
    assert "FAIL 1 amounts_are_exact" in done.stdout
