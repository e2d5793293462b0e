"""`python -m benchmarks.loading` measures loads end to end: from an empty database to the last row.

CPU time and peak memory are those of the client: the tap and the loader, without the database
server and the sandbox. `--quick` checks with small sizes that everything works.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmarks import ready
from benchmarks.case import TODAY, Case
from benchmarks.destinations import (
    DEFAULTS,
    DLT_DUCKDB,
    DLT_POSTGRES,
    DUCKDB,
    FLOORS,
    POSTGRES,
    WAYS,
    Place,
    Way,
    place,
)
from benchmarks.report import Table, Target, say
from benchmarks.runs import Cost, spend
from benchmarks.sandboxed import Sandbox
from benchmarks.sizes import AGE, FEW
from benchmarks.tools import ALL_ROWS, STATE, TAP, Tap, Task, one_stream


class Load(NamedTuple):
    """What to load, by which ways; a night comes after a first load up to the day before."""

    name: str
    case: Case
    ways: tuple[Way, ...] = WAYS
    is_night: bool = False
    tap: Tap = TAP


class Result(NamedTuple):
    """The cost of a load, its rows, and the days whose plain sum is not `totalprice`."""

    cost: Cost
    rows: int
    wrong_days: int


YEAR = Load("first load, 1 account, 365 days of every category", Case(365), tap=ALL_ROWS)
MANY = Load(
    "first load, 200 accounts, 31 days",
    Case(31, accounts=200, age=AGE, categories=FEW),
    (POSTGRES, DLT_POSTGRES, DLT_DUCKDB),
)
THOUSANDS = Load(
    "first load, 5,000 accounts, 1 day",
    Case(1, accounts=5000, age=AGE, categories=FEW),
    (POSTGRES, DLT_POSTGRES, DLT_DUCKDB),
)
NIGHT = Load(
    "a night, 1 account, after 300 days",
    Case(300),
    (DEFAULTS, POSTGRES, DLT_POSTGRES, DUCKDB, DLT_DUCKDB),
    is_night=True,
)
CASES = {"year": YEAR, "accounts": MANY, "thousands": THOUSANDS, "night": NIGHT}


def main() -> int:
    """Print a table for each load, then the targets. The exit code is 1 if one is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loading", description=__doc__)
    parser.add_argument("loads", nargs="*", help=f"{', '.join(CASES)}; default: all")
    parser.add_argument("--quick", action="store_true", help="small sizes")
    options = parser.parse_args()
    results: dict[tuple[str, Way], Result] = {}
    states: dict[str, float] = {}
    for name in options.loads or CASES:
        load = CASES[name]
        if options.quick:
            load = load._replace(
                case=replace(load.case, days=3, accounts=min(load.case.accounts, 2))
            )
        for line in _measure(name, load, results, states):
            say(line)
    targets = [*_targets(results, states)]
    say(f"\n### Targets{' (these sizes are too small for a verdict)' * options.quick}\n")
    for target in targets:
        say(f"{target}")
    return 0 if options.quick or all(target.holds for target in targets) else 1


def _measure(
    name: str, load: Load, results: dict[tuple[str, Way], Result], states: dict[str, float]
) -> Iterator[str]:
    yield f"\n### {load.name}"
    table = Table("way", "wall s", "CPU s", "peak MB", "rows", "wrong days")
    yield from table.head()
    with Sandbox(load.case) as sandbox, TemporaryDirectory() as home:
        ready_rows = Path(home)
        states[name] = _read_all(load, sandbox, ready_rows)  # this also warms the sandbox up
        for way in load.ways:
            with TemporaryDirectory() as folder, place(way.kind, Path(folder)) as where:
                source = ready_rows if way in FLOORS else Path(folder)
                result = _load(way, load, sandbox, where, source)
            results[name, way] = result
            yield table.row(way.name, *result.cost, result.rows, result.wrong_days)


def _read_all(load: Load, sandbox: Sandbox, folder: Path) -> float:
    """Write the rows of the case to the folder, ready to be loaded.

    Return how many times the bytes of other messages the STATE messages have.
    """
    output = folder / "messages.jsonl"
    spend(load.tap.command(Task(load.case, sandbox.url), folder), output)
    ready.write(output, folder)
    with output.open("rb") as lines:
        states = sum(len(line) for line in lines if line.startswith(STATE))
    return states / (output.stat().st_size - states)


def _load(way: Way, load: Load, sandbox: Sandbox, where: Place, folder: Path) -> Result:
    """Load, and return the cost; of a night without that of the first load."""
    last_days = [TODAY - timedelta(days=1), TODAY] if load.is_night else [TODAY]
    for last_day in last_days:
        settings = {**load.tap.settings(Task(load.case, sandbox.url)), "end_date": f"{last_day}"}
        (folder / "config.json").write_text(json.dumps(settings))
        (folder / "catalog.json").write_text(json.dumps(one_stream(load.tap.executable)))
        output = folder / "output"
        command = way.command(where, folder)
        cost = spend(["/bin/bash", "-o", "pipefail", "-c", command], output)
        if states := output.read_text().splitlines():  # a Singer loader prints what it has loaded
            (folder / "state.json").write_text(states[-1])
    return Result(cost, where.rows, where.wrong_days)


def _targets(results: dict[tuple[str, Way], Result], states: dict[str, float]) -> Iterator[Target]:
    for (name, way), (cost, _, wrong_days) in results.items():
        claim = f"{CASES[name].name}: {way.name}"
        if way != DUCKDB:
            yield Target(f"{claim}: days whose sum is not totalprice", wrong_days, 0)
        if name == "accounts":
            yield Target(f"{claim}: wall seconds", cost.wall, 30)
    if "thousands" in states:
        claim = f"{THOUSANDS.name}: bytes of STATE, times those of all other messages"
        yield Target(claim, states["thousands"], 2)
    if ("year", FLOORS[0]) in results:
        year = {way: results["year", way].cost for way in WAYS}
        copy, _ = FLOORS
        what = "year: client CPU, times that of target-postgres with its defaults"
        yield Target(f"{what}: meltano.yml", year[POSTGRES].cpu / year[DEFAULTS].cpu, 1 / 4)
        yield Target(f"{what}: dlt", year[DLT_POSTGRES].cpu / year[DEFAULTS].cpu, 1 / 8)
        what = "year: wall, times that of"
        yield Target(f"{what} the floor: dlt", year[DLT_POSTGRES].wall / year[copy].wall, 3)
        yield Target(f"{what} target-duckdb: dlt", year[DLT_DUCKDB].wall / year[DUCKDB].wall, 1 / 3)


if __name__ == "__main__":
    sys.exit(main())
