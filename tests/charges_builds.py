"""Builds of the models of rebilling: by dbt as a user runs it, and in this process."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path

import duckdb
import psycopg
import yaml

from tests.charges import COLUMNS, TABLES, World, categories, write_seeds
from tests.conftest import QUIET_DBT, ROOT, Rows, address, clean_environment, ended

CHARGES = (
    "SELECT customer_id, month, price_unit, line, plan_id, item, quantity, unit_price, amount, "
    "cost, is_closed FROM twilio_usage.customer_charges"
)
NEVER = "1999-12-31"
# So that the DuckDB that dbt is installed with can read it.
OLD: dict[str, str | bool | int | float | list[str]] = {"storage_compatibility_version": "v1.2.0"}


class Project:
    """A copy of the package that is built from a world, in a warehouse of its own."""

    def __init__(
        self, dbt: Path, folder: Path, database: str | None = None, *, is_made: bool = False
    ) -> None:
        self.dbt = dbt
        self.folder = folder / "dbt"
        self.warehouse = folder / "w.duckdb"
        self.database = database
        if not is_made:
            ignored = shutil.ignore_patterns("target", "logs")
            shutil.copytree(ROOT / "dbt", self.folder, ignore=ignored)
            self.execute(TABLES)

    def run(self, command: str, *options: str, closed_through: object = None) -> tuple[int, str]:
        variables = {"twilio_usage_closed_through": closed_through} if closed_through else {}
        marts = ("customer_charges", "plan_usage", "reconciliation", "unit_costs")
        names = [f"+{mart}" for mart in marts]
        # No test of a model that is not built.
        tests = ["--indirect-selection=cautious"] if command == "build" else []
        folder = f"--profiles-dir={self.folder}"
        given = f"--vars={yaml.safe_dump(variables)}"
        return ended(
            [str(self.dbt), command, "--select", *names, *tests, folder, given, *options],
            cwd=self.folder,
            env={
                **clean_environment(),
                **(address(self.database) if self.database else {}),
                "DBT_TARGET": "postgres" if self.database else "duckdb",
                "TARGET_DUCKDB_PATH": str(self.warehouse),
                **QUIET_DBT,
            },
        )

    def build(self, world: World, *options: str, closed_through: object = None) -> Rows:
        """Load the world, build the models, and return the charges."""
        self.load(world)
        # cost_by_day would keep the records of another world; customer_charges is never refreshed.
        options = ("--full-refresh", *options)
        code, log = self.run("build", *options, closed_through=closed_through)
        assert code == 0, log
        return self.query(CHARGES)

    def load(self, world: World) -> None:
        write_seeds(world, self.folder / "seeds")
        self.execute("DELETE FROM tap_twilio_usage.usage_records_daily")
        self.execute("DELETE FROM tap_twilio_usage.categories")
        insert = "INSERT INTO tap_twilio_usage."
        records = [*world.records(every_day=True)]
        self.insert(f"{insert}usage_records_daily ({COLUMNS}) VALUES", records)
        names = "category, parent_category, service, is_known"
        self.insert(f"{insert}categories ({names}) VALUES", categories())

    def insert(self, statement: str, rows: Rows) -> None:
        if not rows:
            return
        if self.database:
            with psycopg.connect(self.database) as postgres, postgres.cursor() as cursor:
                values = ", ".join(["%s"] * len(rows[0]))
                cursor.executemany(f"{statement} ({values})", rows)
        else:
            with duckdb.connect(self.warehouse, config=OLD) as duck:
                duck.executemany(f"{statement} ({', '.join('?' * len(rows[0]))})", rows)

    def execute(self, statement: str) -> None:
        if self.database:
            with psycopg.connect(self.database) as postgres:
                postgres.execute(statement)
        else:
            with duckdb.connect(self.warehouse, config=OLD) as duck:
                duck.execute(statement)

    def query(self, statement: str) -> Rows:
        if self.database:
            with psycopg.connect(self.database) as postgres:
                return postgres.execute(statement).fetchall()
        with duckdb.connect(self.warehouse, read_only=True) as duck:
            return duck.execute(statement).fetchall()


class Models:
    """The models as dbt has compiled them, run in this process: a build takes milliseconds."""

    def __init__(self, project: Project) -> None:
        manifest = json.loads((project.folder / "target" / "manifest.json").read_text())
        nodes = {n["name"]: n for n in manifest["nodes"].values() if n["resource_type"] == "model"}
        wanted = [
            *("stg_twilio_usage__days", "int_twilio_usage__loaded_days", "cost_by_day"),
            *("int_twilio_usage__day_totals", "int_twilio_usage__cost_by_month"),
            *("int_twilio_usage__category_ancestors", "int_twilio_usage__customer_usage"),
            *("plan_usage", "customer_charges"),
        ]
        compiled = project.folder / "target" / "compiled" / "twilio_usage"
        self.sql = {
            name: (compiled / "models" / nodes[name]["path"]).read_text() for name in wanted
        }
        assert NEVER in self.sql["customer_charges"]
        inputs = ("plans", "plan_allowances", "customers")
        names = [*(f"{name}_are_valid" for name in inputs), "closed_months_are_loaded"]
        self.added_to = {
            name for name in wanted if nodes[name]["config"]["materialized"] == "incremental"
        }
        self.tests = {name: (compiled / "tests" / f"{name}.sql").read_text() for name in names}
        self.project = project
        self.duck = duckdb.connect(project.warehouse, config=OLD)
        self.duck.execute("SET threads = 1")

    def load(self, world: World, *, every_day: bool = False) -> None:
        records = [*world.records(every_day=every_day)]
        tables = {
            "tap_twilio_usage.usage_records_daily": (COLUMNS, records),
            **{
                f"twilio_usage.{name}": (", ".join(row_type), rows)
                for name, rows in world.seeds().items()
                if (row_type := rows[0]._fields if rows else ("plan_id",))
            },
        }
        for table, (columns, rows) in tables.items():
            self.duck.execute(f"DELETE FROM {table}")
            if rows:
                values = f"({', '.join('?' * len(rows[0]))})"
                values = ", ".join([values] * len(rows))
                flat = [cell for row in rows for cell in row]
                self.duck.execute(f"INSERT INTO {table} ({columns}) VALUES {values}", flat)

    def build(
        self,
        world: World,
        closed_through: date | None = None,
        *,
        anew: bool = False,
        every_day: bool = False,
    ) -> Rows:
        """Build on what is there, or anew; return the charges."""
        self.load(world, every_day=every_day)
        self.run(closed_through, anew=anew)
        return self.duck.execute(CHARGES).fetchall()

    def run(self, closed_through: date | None = None, *, anew: bool = False) -> None:
        """Build on the rows that are loaded."""
        for name, sql in self.sql.items():
            table = f"twilio_usage.{name}"
            if name == "customer_charges":
                closed = sql.replace(NEVER, str(closed_through or NEVER))
                self.duck.execute(f"DELETE FROM {table} WHERE {anew} OR NOT is_closed")
                self.duck.execute(f"INSERT INTO {table} BY NAME {closed}")
            elif name in self.added_to:
                self.duck.execute(f"DELETE FROM {table}")
                self.duck.execute(f"INSERT INTO {table} BY NAME {sql}")
            else:
                self.duck.execute(f"CREATE OR REPLACE TABLE {table} AS {sql}")
