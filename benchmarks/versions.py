"""The tap against another version of it, in one run, to see whether it has become slower."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median

from benchmarks.report import Table, Target
from benchmarks.runs import NO_LATENCY, last_state, measure, measure_in_turn, typical
from benchmarks.sandboxed import Sandbox
from benchmarks.sizes import Sizes
from benchmarks.tools import TAP, Json, Tap, Tool

MOST = 1.05  # times the other version's
# Equal runs on two cores differ by up to 15 %, so the median of the ratios of many pairs counts.
PAIRS_A_REPEAT = 3


def versions(sizes: Sizes, other: Path) -> Iterator[str | Target]:
    """Compare the installed tap with the other version's command, turn by turn."""
    theirs = Tap("other version", executable=f"{other}")
    targets = []
    number = PAIRS_A_REPEAT * sizes.repeats
    for case, resumed in ((sizes.year, False), (sizes.accounts, False), (sizes.night, True)):
        name = f"{case}{' from a state' * resumed}"
        yield f"\n### {name}"
        table = Table("version", "wall s", "CPU s", "peak MB", "requests", "rows")
        yield from table.head()
        with Sandbox(case) as sandbox:
            for each in (TAP, theirs) if sizes.warm else ():
                measure(each, sandbox)
            states: dict[Tool, Json | None] = {
                each: last_state(each, sandbox) if resumed else None for each in (theirs, TAP)
            }
            pairs = [measure_in_turn(states, sandbox, NO_LATENCY) for _ in range(number)]
        for tool, run in pairs[0].items():
            cost = typical([pair[tool].cost for pair in pairs])
            yield table.row(tool.name, *cost, run.requests, run.rows)
        for figure in ("wall", "cpu", "peak"):
            ratio = median(
                getattr(pair[TAP].cost, figure) / getattr(pair[theirs].cost, figure)
                for pair in pairs
            )
            targets.append(Target(f"{name}: {figure}, times the other version's", ratio, MOST))
    yield from targets
