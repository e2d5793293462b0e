"""Empty databases, and the commands that load them: by Singer, by dlt, and the floor."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import yaml

from benchmarks.postgres import postgres
from benchmarks.surroundings import ROOT, environment

SCHEMA = "tap_twilio_usage"
TABLE = f"{SCHEMA}.usage_records_daily"
TAP = Path(sys.executable).with_name("tap-twilio-usage")
LOAD = Path(sys.executable).with_name("tap-twilio-usage-load")
WRONG_DAYS = f"""
SELECT COUNT(*) FROM (
    SELECT 1 FROM {TABLE} GROUP BY account_sid, start_date
    HAVING SUM(deduplicated_price)
        IS DISTINCT FROM SUM(CASE WHEN category = 'totalprice' THEN price END)
) AS days
"""  # noqa: S608


@dataclass(frozen=True)
class Place:
    """An empty database: its URL, and a function that runs a query in it."""

    url: str
    query: Callable[[str], list[Any]]

    @property
    def rows(self) -> int:
        """The number of rows."""
        return int(self.query(f"SELECT COUNT(*) FROM {TABLE}")[0][0])  # noqa: S608

    @property
    def wrong_days(self) -> int:
        """The number of days whose plain sum is not `totalprice`."""
        return int(self.query(WRONG_DAYS)[0][0])


@dataclass(frozen=True, eq=False)
class Way:
    """A way to load: the kind of database, and the shell command for one and a folder of files.

    The folder has the tap's config.json and catalog.json, and for a night also its state.json. For
    the floor it has the rows.
    """

    name: str
    kind: str
    command: Callable[[Place, Path], str]


@contextmanager
def place(kind: str, folder: Path) -> Iterator[Place]:
    """Yield an empty database in the folder."""
    if kind == "postgresql":
        with postgres() as server:
            url = f"{server}/postgres"
            with psycopg.connect(url, autocommit=True) as connection:
                yield Place(url, lambda sql: connection.execute(sql).fetchall())
        return
    file = folder / "usage.duckdb"

    def query(sql: str) -> list[Any]:
        with duckdb.connect(f"{file}", read_only=True) as connection:
            return connection.execute(sql).fetchall()

    yield Place(f"duckdb:///{file}", query)


@cache
def loader(name: str) -> tuple[Path, Mapping[str, Any]]:
    """Return the executable of a loader of meltano.yml, and its settings there; install it once."""
    plugins = yaml.safe_load((ROOT / "meltano.yml").read_text())["plugins"]["loaders"]
    plugin = next(each for each in plugins if each["name"] == name)
    home = ROOT / ".benchmarks" / name
    tools = Path(sys.executable).parent
    if not home.exists():
        _run(f"{tools / 'uv'}", "venv", "-q", "-p", sys.executable, f"{home}")
        packages = shlex.split(plugin["pip_url"])
        _run(f"{tools / 'uv'}", "pip", "install", "-q", "-p", f"{home}", *packages)
    settings = {each["name"]: each["value"] for each in plugin["settings"] if "value" in each}
    return home / "bin" / plugin["executable"], settings


def _run(*command: str) -> None:
    subprocess.run(command, check=True, env=environment())  # noqa: S603


def by_singer(name: str, settings: Mapping[str, Any] | None = None) -> Callable[..., str]:
    """Return a command that pipes the tap into a loader, with other settings than meltano.yml's."""

    def command(where: Place, folder: Path) -> str:
        executable, own = loader(name)
        chosen = {**(own if settings is None else settings), "default_target_schema": SCHEMA}
        file = folder / "target.json"
        if name == "target-duckdb":
            chosen |= {"path": where.url.removeprefix("duckdb:///"), "database": "usage"}
        else:
            chosen["sqlalchemy_url"] = where.url.replace("postgresql:", "postgresql+psycopg:")
        file.write_text(json.dumps(chosen))
        state = folder / "state.json"
        options = [f"--config={folder / 'config.json'}", f"--catalog={folder / 'catalog.json'}"]
        tap = shlex.join([f"{TAP}", *options, *([f"--state={state}"] if state.exists() else [])])
        return f"{tap} | {shlex.join([f'{executable}', f'--config={file}'])}"

    return command


def by_dlt(where: Place, folder: Path) -> str:
    """Return the command of the door to dlt."""
    options = (f"--config={folder / 'config.json'}", f"--destination={where.url}")
    select = "--select=usage_records_daily"
    return shlex.join(["env", f"DLT_DATA_DIR={folder}", f"{LOAD}", *options, select])


def floor(where: Place, folder: Path) -> str:
    """Return the command that loads rows which are ready in a file."""
    return shlex.join([sys.executable, "-m", "benchmarks.ready", where.url, f"{folder}"])


DEFAULTS = Way("target-postgres, its defaults", "postgresql", by_singer("target-postgres", {}))
POSTGRES = Way("target-postgres, as in meltano.yml", "postgresql", by_singer("target-postgres"))
DLT_POSTGRES = Way("dlt into PostgreSQL", "postgresql", by_dlt)
DUCKDB = Way("target-duckdb", "duckdb", by_singer("target-duckdb"))
DLT_DUCKDB = Way("dlt into DuckDB", "duckdb", by_dlt)
FLOORS = (
    Way("floor: COPY and upsert of ready rows", "postgresql", floor),
    Way("floor: ready Parquet into DuckDB", "duckdb", floor),
)
WAYS = (DEFAULTS, POSTGRES, DLT_POSTGRES, DUCKDB, DLT_DUCKDB, *FLOORS)
