"""FOCUS files of three sandbox accounts, loaded by the installed tap."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from sandbox import AUTH_TOKEN, MAIN_SID, Company, Server
from tap_twilio_usage.focus import files
from tap_twilio_usage.focus.columns import STREAM, columns_of, schema_of
from tap_twilio_usage.money.hierarchy import normalise, shipped

FIRST, LAST = date(2024, 10, 1), date(2025, 9, 30)
NEW_CATEGORY_FROM = date(2025, 3, 15)
COMMAND = str(Path(sys.executable).with_name("tap-twilio-usage"))

Row = dict[str, Any]


def write(path: Path, version: str, first: date = FIRST) -> str:
    """Write the file from the first day on, and return a summary of its content."""
    company = Company(since=FIRST, today=LAST, subaccounts=2, new_category_from=NEW_CATEGORY_FROM)
    with Server(company) as server:
        rows = list(_loaded(server.url, path.with_suffix(".json"), version, first))
    files.write(path, rows, columns_of(version), schema_of(version)["properties"])
    return _contents(rows)


def _loaded(url: str, config: Path, version: str, first: date) -> Iterator[Row]:
    settings = {
        "account_sid": MAIN_SID,
        "auth_token": AUTH_TOKEN,
        "subaccounts": "separate",
        "start_date": f"{first}",
        "end_date": f"{LAST}",
        "focus": True,
        "focus_version": version,
        "stream_maps": {"usage_records_daily": None},
        "api_url": url,
    }
    config.write_text(json.dumps(settings), "utf-8")
    clean = {name: text for name, text in os.environ.items() if not name.startswith("TAP_")}
    done = subprocess.run(  # noqa: S603
        [COMMAND, "--config", config], env=clean, stdout=subprocess.PIPE, check=True
    )
    for line in done.stdout.splitlines():
        # Numbers as text, to keep all of their digits.
        message = json.loads(line, parse_float=str, parse_int=str)
        if message["type"] == "RECORD" and message["stream"] == STREAM:
            yield message["record"]


def _contents(rows: list[Row]) -> str:
    """Return a summary in one line; raise SystemExit if the sample lacks a required kind of row."""
    known = shipped().categories
    found = {
        "accounts": len({row["x_AccountSid"] for row in rows}),
        "credits": sum(row["ChargeCategory"] == "Credit" for row in rows),
        "adjustments": sum(row["ChargeCategory"] == "Adjustment" for row in rows),
        "rows of unknown categories": sum(
            normalise(row["x_Category"]) not in known for row in rows
        ),
    }
    if not all(found.values()):
        raise SystemExit(f"the sample lacks a required kind of row: {found}")
    return f"{len(rows)} rows: " + ", ".join(f"{number} {what}" for what, number in found.items())
