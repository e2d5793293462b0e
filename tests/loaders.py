"""The targets of docs/targets.md: how to install and set them, and how to read what they loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen
from xml.etree import ElementTree as ET

import duckdb
import psycopg
import yaml

from tests.conftest import ROOT, SCHEMA, Rows, clean_environment

UV = Path(sys.executable).with_name("uv")
LONGEST_LOAD = 600  # seconds
# The streams that the page's queries read: the key of each, and what tells its newest row.
READ = {
    "usage_records_daily": ("account_sid, category, start_date", "as_of"),
    "categories": ("category", "filename"),
}


@dataclass(frozen=True)
class Place:
    """Where a target loads to: a folder, a database or a bucket, each of its own."""

    folder: Path
    postgres: str
    s3: str


class Destination(ABC):
    """What was loaded, to be queried in the SQL of the engine."""

    @abstractmethod
    def query(self, statement: str) -> Rows:
        """Return the rows of a query."""

    def types(self, table: str) -> dict[str, str]:
        """Return the types of the columns by name."""
        return dict(
            self.query(
                "SELECT column_name, CASE WHEN data_type = 'numeric' AND numeric_scale IS NOT NULL "
                "THEN CONCAT('numeric(', numeric_precision, ',', numeric_scale, ')') "
                "ELSE data_type END FROM information_schema.columns "
                f"WHERE table_schema = '{SCHEMA}' AND table_name = '{table}'"
            )
        )

    def rows(self, table: str) -> int:
        """Return the number of rows, with those that a newer row replaces."""
        ((count,),) = self.query(f"SELECT COUNT(*) FROM {SCHEMA}.{table}")
        return int(count)


class PostgreSQL(Destination):
    def __init__(self, place: Place) -> None:
        self._uri = place.postgres

    def query(self, statement: str) -> Rows:
        with psycopg.connect(self._uri) as connection:
            return connection.execute(statement).fetchall()


class DuckDB(Destination):
    def __init__(self, place: Place) -> None:
        self._connection = duckdb.connect(f"{place.folder / 'warehouse.duckdb'}", read_only=True)

    def query(self, statement: str) -> Rows:
        return self._connection.execute(statement).fetchall()


class Files(Destination):
    """Files that DuckDB reads: a view of each stream has the newest row of each key."""

    pattern = "{}-*.jsonl"
    reader = "read_json('{}', filename = true, sample_size = -1)"

    def __init__(self, place: Place) -> None:
        self._folder = place.folder
        self._connection = duckdb.connect()
        self._connection.execute(f"CREATE SCHEMA {SCHEMA}")
        for stream, (key, newest) in READ.items():
            self._connection.execute(
                f"CREATE VIEW {SCHEMA}.{stream} AS SELECT * FROM {self.source(stream)} "
                f"QUALIFY ROW_NUMBER() OVER (PARTITION BY {key} ORDER BY {newest} DESC) = 1"
            )

    def source(self, stream: str) -> str:
        return self.reader.format(self._folder / self.pattern.format(stream))

    def query(self, statement: str) -> Rows:
        return self._connection.execute(statement).fetchall()

    def rows(self, table: str) -> int:
        ((count,),) = self.query(f"SELECT COUNT(*) FROM {self.source(table)}")
        return int(count)


class SingerFiles(Files):
    pattern = "{0}/*.gz"
    reader = (
        "(SELECT UNNEST(record), filename FROM read_json('{}', format = 'newline_delimited', "
        "compression = 'gzip', filename = true, sample_size = -1) WHERE type = 'RECORD')"
    )


class CsvFiles(Files):
    pattern = "{}.csv"
    reader = "read_csv('{}', filename = true)"


class ParquetFiles(Files):
    """Parquet in a bucket, which is downloaded first."""

    pattern = "{}/**/*.parquet"
    reader = "read_parquet('{}', filename = true, hive_partitioning = false)"

    def __init__(self, place: Place) -> None:
        with urlopen(f"{place.s3}?list-type=2") as answer:
            listed = ET.fromstring(answer.read()).findall(".//{*}Key")
        for key in (key.text or "" for key in listed):
            path = place.folder / key.partition("/")[2]
            path.parent.mkdir(parents=True, exist_ok=True)
            with urlopen(f"{place.s3}/{quote(key)}") as answer:
                path.write_bytes(answer.read())
        super().__init__(place)


@dataclass(frozen=True)
class Loader:
    """A target and its settings."""

    name: str
    requirements: tuple[str, ...]
    executable: str
    engine: str
    destination: Callable[[Place], Destination] | None  # None if it does not load
    settings: Callable[[Place], dict[str, Any]]
    overrides: tuple[str, ...] = ()  # instead of versions that Python 3.11 cannot install
    amount: str = "{}"  # SQL of an exact amount
    day: str = "{}"  # SQL of a date

    def install(self, environments: Path) -> None:
        overrides = environments / f"{self.name}.txt"
        overrides.write_text("\n".join(self.overrides))
        install(environments / self.name, "--override", f"{overrides}", *self.requirements)

    def load(self, environments: Path, place: Place, messages: Path) -> str | None:
        """Load the messages; return the last line of the log if that fails."""
        config = place.folder / "config.json"
        config.write_text(json.dumps(self.settings(place)))
        with messages.open("rb") as lines:
            done = subprocess.run(
                [environments / self.name / "bin" / self.executable, "--config", config],
                stdin=lines,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                env=clean_environment(),
                timeout=LONGEST_LOAD,
                check=False,
            )
        return done.stderr.strip().splitlines()[-1].strip() if done.returncode else None


def install(environment: Path, *arguments: str) -> None:
    """Create a virtual environment with the packages."""
    subprocess.run([UV, "venv", "-q", "-p", sys.executable, environment], check=True)
    subprocess.run([UV, "pip", "install", "-q", "-p", environment, *arguments], check=True)


def create_bucket(url: str) -> None:
    with urlopen(Request(url, method="PUT")):
        pass


def of_meltano(name: str) -> dict[str, Any]:
    """Return a loader of meltano.yml."""
    loaders = yaml.safe_load((ROOT / "meltano.yml").read_text())["plugins"]["loaders"]
    (loader,) = (each for each in loaders if each["name"] == name)
    return dict(loader)


def _from_meltano(name: str) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Return the requirements and the settings of a loader in meltano.yml."""
    loader = of_meltano(name)
    settings = {each["name"]: each["value"] for each in loader["settings"] if "value" in each}
    return tuple(loader["pip_url"].split()), {**settings, "default_target_schema": SCHEMA}


def _address(place: Place, **names: str) -> dict[str, Any]:
    """Return the address of the database, with the target's own names for its parts."""
    uri = urlsplit(place.postgres)
    parts = {
        "host": uri.hostname,
        "port": uri.port,
        "user": uri.username,
        "password": "not asked for",
        "database": uri.path[1:],
    }
    return {names.get(part, part): value for part, value in parts.items()}


def _bucket(place: Place) -> dict[str, Any]:
    server, _, bucket = place.s3.rpartition("/")
    return {
        "aws_access_key_id": "any",
        "aws_secret_access_key": "any",
        "aws_region": "us-east-1",
        "aws_endpoint_override": server,
        "aws_bucket": bucket,
    }


POSTGRES, POSTGRES_SETTINGS = _from_meltano("target-postgres")
DUCKDB, DUCKDB_SETTINGS = _from_meltano("target-duckdb")
JSONL, JSONL_SETTINGS = _from_meltano("target-jsonl")
TEXT_OF_DOUBLE = "{}::TEXT::NUMERIC"
DECIMAL = "{}::VARCHAR::DECIMAL(38, 12)"

LOADERS = [
    Loader(
        "meltanolabs-target-postgres",
        POSTGRES,
        "target-postgres",
        "PostgreSQL",
        PostgreSQL,
        lambda place: POSTGRES_SETTINGS | _address(place),
    ),
    Loader(
        "pipelinewise-target-postgres",
        ("pipelinewise-target-postgres~=2.1.2",),
        "target-postgres",
        "PostgreSQL",
        PostgreSQL,
        lambda place: {"default_target_schema": SCHEMA, **_address(place, database="dbname")},
        amount=TEXT_OF_DOUBLE,
        day="{}::DATE",
    ),
    Loader(
        "singer-target-postgres",
        ("singer-target-postgres~=0.2.4", "setuptools<81"),
        "target-postgres",
        "PostgreSQL",
        PostgreSQL,
        lambda place: {
            "postgres_schema": SCHEMA,
            **_address(
                place,
                host="postgres_host",
                port="postgres_port",
                user="postgres_username",
                password="postgres_password",
                database="postgres_database",
            ),
        },
        overrides=("psycopg2-binary>=2.9", "psycopg2; sys_platform == 'none'"),
        amount=TEXT_OF_DOUBLE,
        day="{}::DATE",
    ),
    Loader(
        "target-duckdb",
        DUCKDB,
        "target-duckdb",
        "DuckDB",
        DuckDB,
        lambda place: DUCKDB_SETTINGS | {"path": f"{place.folder / 'warehouse.duckdb'}"},
        amount=DECIMAL,
        day="{}::DATE",
    ),
    Loader(
        "target-sqlite",
        ("target-sqlite~=0.2.0",),
        "target-sqlite",
        "SQLite",
        None,
        lambda place: {"database": f"{place.folder / 'warehouse'}"},
    ),
    Loader(
        "target-jsonl",
        JSONL,
        "target-jsonl",
        "JSONL files",
        Files,
        lambda place: JSONL_SETTINGS | {"destination_path": f"{place.folder}"},
        amount=DECIMAL,
    ),
    Loader(
        "target-singer-jsonl",
        ("target-singer-jsonl~=0.1.0",),
        "target-singer-jsonl",
        "Singer messages in files",
        SingerFiles,
        lambda place: {"destination": "local", "local": {"folder": f"{place.folder}"}},
        amount=DECIMAL,
    ),
    Loader(
        "meltanolabs-target-csv",
        ("meltanolabs-target-csv~=0.5.0",),
        "target-csv",
        "CSV files",
        CsvFiles,
        lambda place: {"output_path": f"{place.folder}"},
        amount=DECIMAL,
    ),
    Loader(
        "plinxore-target-s3",
        ("plinxore-target-s3~=0.1.7",),
        "target-s3",
        "Parquet in S3 (emulated by moto)",
        ParquetFiles,
        lambda place: {
            "format": {"format_type": "parquet"},
            "prefix": "usage",
            "cloud_provider": {"cloud_provider_type": "aws", "aws": _bucket(place)},
        },
        amount=DECIMAL,
    ),
]
