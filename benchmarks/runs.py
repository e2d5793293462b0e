"""Runs of the tools, each in its own process, and their cost."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmarks.sandboxed import Sandbox
from benchmarks.surroundings import ROOT, environment
from benchmarks.tools import STATE, Json, Task, Tool

MEGABYTE = 1_000_000
TOO_MANY_REQUESTS = 429


class Cost(NamedTuple):
    """Seconds of wall and CPU time, and the peak of resident memory in megabytes (10^6 bytes)."""

    wall: float
    cpu: float
    peak: float


def typical(costs: Sequence[Cost]) -> Cost:
    """Return the median of each time and the maximum of the memory."""
    walls, cpus, peaks = zip(*costs, strict=True)
    return Cost(median(walls), median(cpus), max(peaks))


class Conditions(NamedTuple):
    """How the sandbox answers, and how often a run is measured to take the median."""

    latency: float = 0.0  # seconds
    max_concurrent: int = 0
    repeats: int = 1


NO_LATENCY = Conditions()


class Run(NamedTuple):
    """The cost of a run, its rows, its requests, and how many of them were refused with 429."""

    cost: Cost
    rows: int
    requests: int
    refused: int


def measure(
    tool: Tool, sandbox: Sandbox, how: Conditions = NO_LATENCY, state: Json | None = None
) -> Run:
    """Run the tool on the sandbox's case."""
    return measure_in_turn({tool: state}, sandbox, how)[tool]


def measure_in_turn(
    states: Mapping[Tool, Json | None], sandbox: Sandbox, how: Conditions
) -> dict[Tool, Run]:
    """Run each tool on the sandbox's case, one after the other, and repeat.

    The tools take turns because the speed of a machine changes from minute to minute.
    """
    rounds = [
        {tool: _run(tool, sandbox, how, state) for tool, state in states.items()}
        for _ in range(how.repeats)
    ]
    return {
        tool: run._replace(cost=typical([runs[tool].cost for runs in rounds]))
        for tool, run in rounds[-1].items()
    }


def last_state(tool: Tool, sandbox: Sandbox) -> Json:
    """Return the last state of a run of the tap on the sandbox's case."""
    with TemporaryDirectory() as folder:
        output = Path(folder) / "output"
        spend(tool.command(Task(sandbox.case, sandbox.url), Path(folder)), output)
        with output.open("rb") as lines:
            *_, last = (line for line in lines if line.startswith(STATE))
        state: Json = json.loads(last)["value"]
        return state


@cache
def start_up(module: str, repeats: int) -> Cost:
    """Return the cost of importing the module, without the first import, which compiles it."""
    with TemporaryDirectory() as folder:
        command, output = [sys.executable, "-c", f"import {module}"], Path(folder) / "output"
        _, *costs = (spend(command, output) for _ in range(1 + repeats))
    return typical(costs)


def _run(tool: Tool, sandbox: Sandbox, how: Conditions, state: Json | None) -> Run:
    with TemporaryDirectory() as folder:
        output = Path(folder) / "output"
        command = tool.command(Task(sandbox.case, sandbox.url, state), Path(folder))
        sandbox.behave(how.latency, how.max_concurrent)
        cost = spend(command, output)
        statuses = sandbox.behave()
        refused = statuses.count(TOO_MANY_REQUESTS)
        return Run(cost, tool.rows(output), len(statuses), refused)


def spend(command: list[str], output: Path) -> Cost:
    """Run the command with its output in a file, and return its cost."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "benchmarks.cost", output, *command],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    cost = json.loads(done.stdout)
    return Cost(cost["wall"], cost["cpu"], cost["peak"] / MEGABYTE)
