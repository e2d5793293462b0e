"""How much memory a run of the tap takes, by the length of the history: `-m benchmarks.memory`."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from sandbox import AUTH_TOKEN, MAIN_SID, Company, Server

COMMAND = Path(sys.executable).with_name("tap-twilio-usage")
ROOT = Path(__file__).parents[1]
TODAY = date(2026, 1, 1)
MONTH, YEAR = 31, 365
MEGABYTE = 1_000_000


class Measured(NamedTuple):
    """A run: the rows it gave, and its peak of resident memory in megabytes (10^6 bytes)."""

    rows: int
    seconds: float
    peak: float


def measure(days: int, accounts: int = 1, categories: int = 290) -> Measured:
    """Run the installed command on so many days up to today, of each account by itself if many."""
    since = TODAY - (days - 1) * timedelta(days=1)
    company = Company(since=since, today=TODAY, subaccounts=accounts - 1, categories=categories)
    with Server(company) as server:
        return _run(
            {
                "account_sid": MAIN_SID,
                "auth_token": AUTH_TOKEN,
                "start_date": f"{since}",
                "end_date": f"{TODAY}",
                # A row of every category every day.
                "skip_unused_categories": False,
                "subaccounts": "separate" if accounts > 1 else "rolled_up",
                "api_url": server.url,
            }
        )


def _run(settings: dict[str, Any]) -> Measured:
    with TemporaryDirectory() as folder:
        config = Path(folder) / "config.json"
        config.write_text(json.dumps(settings), encoding="utf-8")
        command = [sys.executable, "-m", "benchmarks.peak", str(COMMAND), "--config", str(config)]
        began = time.monotonic()
        with (
            (Path(folder) / "log").open("w+b") as log,
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, cwd=ROOT) as process,  # noqa: S603
        ):
            assert process.stdout  # noqa: S101
            rows, line = 0, b""
            for line in process.stdout:
                rows += line.startswith(b'{"type":"RECORD"')
            if process.wait():
                log.seek(0)
                raise SystemExit(log.read().decode())
        return Measured(rows, time.monotonic() - began, int(line) / MEGABYTE)


def table() -> Iterator[str]:
    """Give the lines of the report as they are measured."""
    yield "accounts   days      rows  seconds  peak MB  ratio"
    for sizes in ((1, MONTH), (1, YEAR), (1, 3 * YEAR)), ((20, MONTH), (200, MONTH)):
        first = 0.0
        for accounts, days in sizes:
            rows, seconds, peak = measure(days, accounts)
            first = first or peak
            ratio = peak / first
            yield f"{accounts:8} {days:6} {rows:9} {seconds:8.1f} {peak:8.1f} {ratio:6.2f}"


if __name__ == "__main__":
    for text in table():
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
