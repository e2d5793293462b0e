"""A year of three accounts of the sandbox, loaded by the installed tap, as a file of FOCUS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from sandbox import AUTH_TOKEN, MAIN_SID, Company, Server
from tap_twilio_usage.focus.columns import SCHEMA, STREAM
from tap_twilio_usage.money.hierarchy import normalise, shipped

FIRST, LAST = date(2024, 10, 1), date(2025, 9, 30)
NEW_CATEGORY_FROM = date(2025, 3, 15)
COMMAND = str(Path(sys.executable).with_name("tap-twilio-usage"))
TYPES = {"number": "DECIMAL(38, 12)", "string": "VARCHAR", "date-time": "TIMESTAMPTZ"}

Row = dict[str, Any]


def write(path: Path) -> str:
    """Write it to the path; say what is in it."""
    company = Company(since=FIRST, today=LAST, subaccounts=2, new_category_from=NEW_CATEGORY_FROM)
    with Server(company) as server:
        rows = list(_loaded(server.url, path.with_suffix(".json")))
    lines = path.with_suffix(".jsonl")
    lines.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    columns = {name: _type(described) for name, described in SCHEMA["properties"].items()}
    duckdb.sql(
        f"COPY (SELECT * FROM read_json('{lines}', format = 'newline_delimited', "  # noqa: S608
        f"columns = {columns})) TO '{path}' (FORMAT parquet)"
    )
    return _contents(rows)


def _loaded(url: str, config: Path) -> Iterator[Row]:
    settings = {
        "account_sid": MAIN_SID,
        "auth_token": AUTH_TOKEN,
        "subaccounts": "separate",
        "start_date": f"{FIRST}",
        "end_date": f"{LAST}",
        "focus": True,
        "stream_maps": {"usage_records_daily": None},
        "api_url": url,
    }
    config.write_text(json.dumps(settings), "utf-8")
    clean = {name: text for name, text in os.environ.items() if not name.startswith("TAP_")}
    done = subprocess.run(  # noqa: S603
        [COMMAND, "--config", config], env=clean, stdout=subprocess.PIPE, check=True
    )
    for line in done.stdout.splitlines():
        # Numbers as text, whose digits are all kept.
        message = json.loads(line, parse_float=str, parse_int=str)
        if message["type"] == "RECORD" and message["stream"] == STREAM:
            yield message["record"]


def _type(described: dict[str, Any]) -> str:
    return TYPES[described.get("format", described["type"][0])]


def _contents(rows: list[Row]) -> str:
    """Say it in a line. Raises SystemExit if something that has to be in it is not."""
    known = shipped().categories
    found = {
        "accounts": len({row["x_AccountSid"] for row in rows}),
        "credits": sum(row["ChargeCategory"] == "Credit" for row in rows),
        "adjustments": sum(row["ChargeCategory"] == "Adjustment" for row in rows),
        "of unknown categories": sum(normalise(row["x_Category"]) not in known for row in rows),
    }
    if not all(found.values()):
        raise SystemExit(f"the sample lacks what it is for: {found}")
    return f"{len(rows)} rows: " + ", ".join(f"{number} {what}" for what, number in found.items())
