"""Windows and macOS, as far as Linux can show them: without what only POSIX has.

These run in .github/workflows/test.yml on both. They need neither fork nor the fixtures of others.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from sandbox import AUTH_TOKEN, MAIN_SID, Company, Server

DAYS = [date(2025, 9, 29), date(2025, 9, 30)]
COMPANY = Company(today=DAYS[-1], categories=20)
BARE = """
import os, signal, sys
for name in ("fork", "forkpty", "killpg", "setsid", "sched_getaffinity"):
    if hasattr(os, name):
        delattr(os, name)
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None
"""
# Windows has SIGTERM, on which the SDK's and dlt's own packages rely. The tap does not.
WITHOUT_SIGTERM = """
import singer_sdk
del signal.SIGTERM
"""


def bare(
    module: str, *arguments: str | Path, folder: Path, also: str = ""
) -> subprocess.CompletedProcess[bytes]:
    """Run the command of the module without what only POSIX has."""
    code = f"{BARE}{also}\nfrom {module} import main\nmain()"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        check=False,
        timeout=300,
    )


def config(folder: Path, server: Server) -> Path:
    file = folder / "config.json"
    settings = {
        "account_sid": MAIN_SID,
        "auth_token": AUTH_TOKEN,
        "api_url": server.url,
        "start_date": f"{DAYS[0]}",
        "end_date": f"{DAYS[-1]}",
    }
    file.write_text(json.dumps(settings), encoding="utf-8")
    return file


def test_what_only_posix_has_is_gone() -> None:
    code = f"{BARE}\nimport fcntl"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert b"ModuleNotFoundError" in done.stderr


def test_a_load_counts_every_dollar_once(tmp_path: Path) -> None:
    with Server(COMPANY) as server:
        file = config(tmp_path, server)
        arguments = ("tap_twilio_usage.__main__", "--config", file)
        done = bare(*arguments, folder=tmp_path, also=WITHOUT_SIGTERM)
    assert done.returncode == 0, done.stderr.decode()
    assert AUTH_TOKEN.encode() not in done.stderr
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for line in done.stdout.splitlines():
        message = json.loads(line, parse_float=Decimal)
        if message["type"] == "RECORD" and message["stream"] == "usage_records_daily":
            sums[message["record"]["start_date"]] += message["record"]["deduplicated_price"]
    assert sums == {f"{day}": COMPANY.total(day) for day in DAYS}


def test_rows_of_another_connector_count_once(tmp_path: Path) -> None:
    rows = [f"AC1,{row.category},{day},{row.price}\n" for day in DAYS for row in COMPANY.rows(day)]
    text = "account_id,category,start_date,price\n" + "".join(rows)
    (tmp_path / "in.csv").write_text(text, encoding="utf-8")
    done = bare("tap_twilio_usage.raw.__main__", "in.csv", "out.csv", folder=tmp_path)
    total = sum((COMPANY.total(day) for day in DAYS), Decimal(0))
    assert f"SUM(deduplicated_price) = {total:,f}" in done.stderr.decode()


@pytest.mark.nightly
def test_dlt_loads_into_duckdb(tmp_path: Path) -> None:
    with Server(COMPANY) as server:
        done = bare(
            "tap_twilio_usage.dlt.__main__",
            *("--config", config(tmp_path, server), "--destination", "duckdb:///usage.duckdb"),
            folder=tmp_path,
        )
    assert done.returncode == 0, done.stderr.decode()
    assert (tmp_path / "usage.duckdb").exists()
