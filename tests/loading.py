"""Runs `tap-twilio-usage-load`, and reads the tables that it writes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import psycopg

from sandbox import (
    AUTH_TOKEN,
    BILLING_GROUP_IDS,
    CLIENT_ID,
    CLIENT_SECRET,
    MAIN_SID,
    Server,
)
from tests.canary import leaks
from tests.conftest import SCHEMA, Rows, Run, clean_environment
from tests.noise import NOISE
from tests.twilio import TOKEN

LOAD = Path(sys.executable).with_name("tap-twilio-usage-load")
PASSWORD = "canary-of-a-password"
READ_AT = {"as_of", "x_AsOf"}  # the time of reading

Row = Mapping[str, Any]


class Loader:
    """The command, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "dlt"

    def start(
        self, *options: str, command: tuple[str, ...] = (f"{LOAD}",), **settings: Any
    ) -> subprocess.Popen[str]:
        """Start it with these settings of the tap, in the environment."""
        environment = {
            **clean_environment(),
            "DLT_DATA_DIR": f"{self.home}",
            "PYTHONWARNINGS": "ignore",
        }
        for name, value in settings.items():
            text = value if isinstance(value, str) else json.dumps(value)
            environment[f"TAP_TWILIO_USAGE_{name.upper()}"] = text
        return subprocess.Popen(
            [*command, *options],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *options: str, code: int = 0, **more: Any) -> Run:
        with self.start(*options, **more) as process:
            out, log = process.communicate(timeout=120)
        assert process.returncode == code, log
        assert not leaks(log, [AUTH_TOKEN, CLIENT_SECRET, TOKEN, PASSWORD])
        assert out == ""
        assert "Traceback" not in log
        assert not [noise for noise in NOISE if noise in log]
        return Run(process.returncode, out, log)

    def fails(self, *options: str, **more: Any) -> str:
        """Run it, and return why it failed."""
        run = self.run(*options, code=1, **more)
        lines = [line for line in run.log.splitlines() if " | ERROR " in line]
        assert len(lines) <= 1
        return run.last_line.rpartition(" | ")[2]


def settings(server: Server, **more: Any) -> dict[str, Any]:
    """Return the settings for all streams of the sandbox's company."""
    return {
        "account_sid": MAIN_SID,
        "auth_token": AUTH_TOKEN,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "billing_group_ids": BILLING_GROUP_IDS,
        "api_url": server.url,
        "billing_api_url": server.url,
        "oauth_token_url": f"{server.url}/v2/token",
        "start_date": "2025-09-01",
        "end_date": "2025-09-20",
        **more,
    }


def in_duckdb(path: Path) -> Callable[[str], Rows]:
    def query(statement: str) -> Rows:
        with duckdb.connect(f"{path}", read_only=True) as connection:
            connection.execute(f"SET schema = '{SCHEMA}'")
            return connection.execute(statement).fetchall()

    return query


def in_postgres(uri: str) -> Callable[[str], Rows]:
    def query(statement: str) -> Rows:
        with psycopg.connect(uri, options=f"-c search_path={SCHEMA}") as connection:
            return connection.execute(statement).fetchall()

    return query


def table(query: Callable[[str], Rows], name: str) -> list[dict[str, Any]]:
    """Return the rows of a table."""
    columns = [
        column
        for (column,) in query(
            "SELECT column_name FROM information_schema.columns WHERE table_name = "
            f"'{name}' AND table_schema = '{SCHEMA}' ORDER BY ordinal_position"
        )
    ]
    names = ", ".join(f'"{column}"' for column in columns)
    return [dict(zip(columns, row, strict=True)) for row in query(f"SELECT {names} FROM {name}")]


def typed(record: Row, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record of the Singer door with the types that a table has."""
    return {
        name: _typed(record.get(name), described)
        for name, described in schema["properties"].items()
    }


def _typed(value: Any, described: Mapping[str, Any]) -> Any:
    if value is None:
        return None
    if isinstance(value, list | dict):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    if "number" in described["type"]:
        return Decimal(value)
    if described.get("format") == "date":
        return date.fromisoformat(value)
    if described.get("format") == "date-time":
        return datetime.fromisoformat(value)
    return value


def by_key(rows: list[dict[str, Any]], key: list[str]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Return the rows by key, without the time of reading; no key is there twice."""
    found = {
        tuple(row[name] for name in key): {**row, **dict.fromkeys(READ_AT & row.keys())}
        for row in rows
    }
    assert len(found) == len(rows)
    return found
