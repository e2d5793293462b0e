"""The dbt package in a dbt project of one's own, as `dbt deps` takes it from git."""

from __future__ import annotations

import re
import shutil
import subprocess
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import psycopg
import pytest
import yaml

from tap_twilio_usage import __version__
from tests.charges import TABLES
from tests.charges_builds import OLD
from tests.conftest import (
    QUIET_DBT,
    ROOT,
    Rows,
    address,
    blocks,
    clean_environment,
    ended,
    nightly,
)
from tests.test_dbt_incremental import CATEGORIES, read

DAYS = [date(2025, 8, 1) + timedelta(days=number) for number in range(31)]
ACCOUNTS = {"north": ("AC1", "AC2"), "south": ("AC3",)}
# More digits than floating point has, in an amount of the first schema.
SMALL = Decimal("12345678901.000000000001")
# In another order, of other types, and without the descriptions.
OTHER = (
    "SELECT CAST(deduplicated_price AS DOUBLE PRECISION) AS deduplicated_price, "
    "CAST(price AS DOUBLE PRECISION) AS price, account_sid, start_date, end_date, category, "
    "service, billing_kind, parent_category, dedup_role, count, count_unit, usage, usage_unit, "
    "price_unit, counts_in_total, includes_subaccounts, as_of, 1 AS _sdc_sequence "
    "FROM south.usage_records_daily"
)
OWN = """
select account_sid, sum(total) as total
from {{ ref('twilio_usage', 'reconciliation') }}
group by account_sid
"""


class Own(ABC):
    """A dbt project with a model of each name that the package has, and a warehouse."""

    plugin: ClassVar[str]  # of Meltano, whose dbt it runs

    def __init__(self, environments: Path, folder: Path) -> None:
        self.dbt = environments / self.plugin / "venv" / "bin" / "dbt"
        self.folder = folder / "own"
        (self.folder / "models").mkdir(parents=True)
        packages, options, *_ = blocks(ROOT / "docs" / "warehouse.md", "yaml")
        ((address, tag),) = (
            (each["git"], each["revision"]) for each in yaml.safe_load(packages)["packages"]
        )
        published(folder / "repository", tag)
        packages = packages.replace(address, (folder / "repository").as_uri())
        (self.folder / "packages.yml").write_text(packages)
        variables = yaml.safe_load(options)["vars"]
        variables = {
            "twilio_usage_schemas": [*ACCOUNTS],
            "twilio_usage_tables": variables["twilio_usage_tables"],
        }
        project = {"name": "own", "profile": "own", "vars": variables}
        (self.folder / "dbt_project.yml").write_text(yaml.safe_dump(project))
        output = {**self.output(), "schema": "analytics", "threads": 2}
        profile = {"own": {"target": "dev", "outputs": {"dev": output}}}
        (self.folder / "profiles.yml").write_text(yaml.safe_dump(profile))
        for name in names():
            text = OWN if name == "reconciliation" else "select 1 as id"
            (self.folder / "models" / f"{name}.sql").write_text(text)

    def run(self, *command: str) -> tuple[int, str]:
        return ended(
            [f"{self.dbt}", *command, "--profiles-dir=."],
            cwd=self.folder,
            env={**clean_environment(), **QUIET_DBT},
        )

    @abstractmethod
    def output(self) -> dict[str, object]:
        """Return where dbt builds."""

    @abstractmethod
    def connection(self) -> AbstractContextManager[Any]:
        """Connect to the warehouse."""

    def execute(self, *statements: str) -> Rows:
        with self.connection() as warehouse:
            for statement in statements:
                done = warehouse.execute(statement)
            return done.fetchall() if done.description else []


class InDuckDb(Own):
    plugin = "dbt-demo"

    def output(self) -> dict[str, object]:
        return {"type": "duckdb", "path": "warehouse.duckdb"}

    def connection(self) -> AbstractContextManager[Any]:
        return duckdb.connect(self.folder / "warehouse.duckdb", config=OLD)


class InPostgres(Own):
    plugin = "dbt-postgres"

    def __init__(self, environments: Path, folder: Path, database: str) -> None:
        self.database = database
        super().__init__(environments, folder)

    def output(self) -> dict[str, object]:
        host, port, user, password, name = address(self.database).values()
        place = {"host": host, "port": int(port), "user": user, "password": password}
        return {"type": "postgres", "dbname": name, **place}

    def connection(self) -> AbstractContextManager[Any]:
        return psycopg.connect(self.database)


def names() -> list[str]:
    """Return the names without a prefix, which a project of one's own may have too."""
    files = [*(ROOT / "dbt").glob("models/marts/*.sql"), *(ROOT / "dbt").glob("seeds/*.csv")]
    return [path.stem for path in files]


def published(repository: Path, tag: str) -> None:
    """Make a repository with the package in a folder, as this one has it."""
    ignored = shutil.ignore_patterns("target", "logs")
    shutil.copytree(ROOT / "dbt", repository / "dbt", ignore=ignored)
    author = ("-c", "user.name=me", "-c", "user.email=me@example.com")
    for command in (("init", "-q"), ("add", "."), ("commit", "-qm", "All"), ("tag", tag)):
        subprocess.run(["git", *author, *command], cwd=repository, check=True)


@pytest.fixture(params=["duckdb", nightly("postgres")])
def own(plugins: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Own:
    """Return a project whose warehouse has the accounts of two schemas, with other types."""
    environments = plugins / "utilities"
    project: Own
    if request.param == "duckdb":
        project = InDuckDb(environments, tmp_path)
    else:
        project = InPostgres(environments, tmp_path, request.getfixturevalue("database"))
    code, log = project.run("deps")
    assert code == 0, log
    for schema, sids in ACCOUNTS.items():
        records = read(*((sid, day, 0) for sid in sids for day in DAYS))
        categories = (
            f"{CATEGORIES} VALUES ('totalprice', NULL, 'Unattributed', TRUE), "
            "('sms', 'totalprice', 'SMS & MMS', TRUE), ('calls', 'totalprice', 'Voice', TRUE), "
            "('odd', 'totalprice', 'Other', FALSE)"
        )
        project.execute(
            *(
                statement.replace("tap_twilio_usage", schema)
                for statement in (TABLES, records, categories)
            ),
            f"ALTER TABLE {schema}.categories RENAME TO twilio_categories",
        )
    project.execute(
        "UPDATE north.usage_records_daily SET price = price + CASE category "
        f"WHEN 'sms' THEN {SMALL} WHEN 'totalprice' THEN {SMALL} ELSE 0 END, "
        "deduplicated_price = deduplicated_price + CASE category "
        f"WHEN 'sms' THEN {SMALL} ELSE 0 END",
        f"CREATE TABLE south.other AS {OTHER}",
        "DROP TABLE south.usage_records_daily",
        "ALTER TABLE south.other RENAME TO usage_records_daily",
    )
    return project


def totals(own: Own) -> Rows:
    return own.execute(
        "SELECT account_sid, COUNT(*), SUM(total), SUM(unknown_categories) "
        "FROM analytics_twilio_usage.reconciliation GROUP BY 1 ORDER BY 1"
    )


def truth(own: Own) -> Rows:
    """Return what is loaded; the rows of a day have one category that the tap does not know."""
    return own.execute(
        "SELECT account_sid, 31, SUM(CAST(price AS DECIMAL(38, 12))), 31 FROM ("
        "SELECT account_sid, category, CAST(price AS TEXT) AS price "
        "FROM north.usage_records_daily UNION ALL "
        "SELECT account_sid, category, CAST(price AS TEXT) FROM south.usage_records_daily"
        ") AS records WHERE category = 'totalprice' GROUP BY 1 ORDER BY 1"
    )


@pytest.mark.nightly
def test_models_of_the_same_names_stay_apart_and_schemas_are_added_up(own: Own) -> None:
    code, log = own.run("build", "--exclude-resource-type=test")  # which the next test runs
    assert code == 0, log
    assert "WARN=0" in log, log
    assert "WARNING" not in log, log
    assert totals(own) == truth(own)
    assert own.execute("SELECT * FROM analytics.reconciliation ORDER BY 1") == [
        (sid, total) for sid, _, total, _ in totals(own)
    ]
    both = own.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'analytics' "
        "INTERSECT SELECT table_name FROM information_schema.tables "
        "WHERE table_schema = 'analytics_twilio_usage'"
    )
    assert {name for (name,) in both} == {*names()}


@pytest.mark.nightly
def test_without_categories_those_of_the_records_are_used(own: Own) -> None:
    code, log = own.run("build")
    assert code == 0, log
    before = totals(own)
    own.execute(*(f"DROP TABLE {schema}.twilio_categories CASCADE" for schema in ACCOUNTS))
    code, log = own.run("build")
    assert code == 0, log
    assert "categories is not loaded: those of usage_records_daily are used" in log
    assert totals(own) == before == truth(own)
    assert own.execute(
        "SELECT category, parent_category, service, is_known "
        "FROM analytics_twilio_usage.stg_twilio_usage__categories ORDER BY 1"
    ) == [
        ("calls", "totalprice", "Voice", True),
        ("odd", "totalprice", "Other", False),
        ("sms", "totalprice", "SMS & MMS", True),
        ("totalprice", None, "Unattributed", True),
    ]

    code, log = own.run("build", "--vars={twilio_usage_schemas: [north, sotuh]}")
    assert code != 0
    name = r'"[^"]+"."sotuh"."usage_records_daily"'
    assert re.search(f"twilio_usage_schemas: there is no table {name}; load it, or correct", log)


@pytest.mark.nightly
def test_the_sources_are_stale_after_three_days(own: Own) -> None:
    code, log = own.run("source", "freshness")
    assert code == 1
    assert "ERROR STALE freshness of twilio_usage.usage_records_daily" in log
    own.execute("UPDATE north.usage_records_daily SET as_of = now() AT TIME ZONE 'UTC'")
    code, log = own.run("source", "freshness")
    assert code == 0, log
    assert "PASS freshness of twilio_usage.usage_records_daily" in log


def test_the_package_has_the_version_of_the_tap() -> None:
    assert yaml.safe_load((ROOT / "dbt" / "dbt_project.yml").read_text())["version"] == __version__
