"""The tap against other tools that read the same: a year, 50 accounts, a nightly run."""

from __future__ import annotations

from collections.abc import Generator, Iterator

from benchmarks.case import Case
from benchmarks.report import Table, Target
from benchmarks.runs import Conditions, Run, last_state, measure, measure_in_turn, start_up
from benchmarks.sandboxed import Sandbox
from benchmarks.sizes import Sizes
from benchmarks.tools import ALL_ROWS, EIGHT, FLOOR, LIBRARY, PLAIN, TAP, Tap, Tool

TOOLS = (FLOOR, LIBRARY, PLAIN, TAP, ALL_ROWS)
WARMING = (FLOOR, TAP, ALL_ROWS)  # the first three of TOOLS ask for the same pages
HEADS = (
    *("reader", "wall s", "x floor", "CPU s", "start-up s", "CPU without", "x floor"),
    *("peak MB", "requests", "rows"),
)
MOST_CPU = 1.5  # times the floor's
LEAST_SPEED, LEAST_OVERLAP = 4, 6  # times as fast

Runs = dict[tuple[float, Tool], Run]


def year(sizes: Sizes) -> Iterator[str | Target]:
    """Compare the tools on one account."""
    runs = yield from _compare(sizes.year, sizes)
    yield from _speed(sizes.year, sizes, runs)
    yield from _overlap(sizes.year, sizes, runs)
    yield _requests(sizes.year, runs)


def accounts(sizes: Sizes) -> Iterator[str | Target]:
    """Compare the tools on many accounts."""
    runs = yield from _compare(sizes.accounts, sizes)
    yield from _overlap(sizes.accounts, sizes, runs)
    yield _requests(sizes.accounts, runs)


def night(sizes: Sizes) -> Iterator[str | Target]:
    """Compare a run of the tap that resumes from a state with the other tools, which have none."""
    runs = yield from _compare(sizes.night, sizes, resumed=True)
    yield _requests(sizes.night, runs, resumed=True)


def _compare(
    case: Case, sizes: Sizes, *, resumed: bool = False
) -> Generator[str | Target, None, Runs]:
    runs: Runs = {}
    with Sandbox(case) as sandbox:
        for tool in WARMING if sizes.warm else ():
            measure(tool, sandbox)
        for latency in sizes.latencies:
            yield f"\n### {case}{' from a state' * resumed}, latency {latency * 1000:.0f} ms"
            table = Table(*HEADS)
            yield from table.head()
            how = Conditions(latency, repeats=sizes.repeated(case, latency))
            states = {
                tool: last_state(tool, sandbox) if resumed and isinstance(tool, Tap) else None
                for tool in _tools(case, sizes, latency)
            }
            measured = measure_in_turn(states, sandbox, how)
            runs |= {(latency, tool): run for tool, run in measured.items()}
            floor = measured[FLOOR]
            for tool, run in measured.items():
                begun = start_up(tool.module, sizes.repeats).cpu
                yield table.row(
                    tool.name,
                    run.cost.wall,
                    run.cost.wall / floor.cost.wall,
                    run.cost.cpu,
                    begun,
                    run.cost.cpu - begun,
                    _work(run, tool, sizes) / _work(floor, FLOOR, sizes),
                    run.cost.peak,
                    run.requests,
                    run.rows,
                )
    yield f"\nThe fewest requests for the tap: {case.fewest_requests(resumed=resumed)}."
    return runs


def _tools(case: Case, sizes: Sizes, latency: float) -> Iterator[Tool]:
    """Yield the tools, without those that only wait: they make as many requests as the floor."""
    for tool in TOOLS:
        if not (latency and case.accounts > 1 and tool in {LIBRARY, PLAIN}):
            yield tool
    if latency == sizes.latencies[-1]:
        yield EIGHT


def _work(run: Run, tool: Tool, sizes: Sizes) -> float:
    """Return the CPU time without start-up."""
    return run.cost.cpu - start_up(tool.module, sizes.repeats).cpu


def _speed(case: Case, sizes: Sizes, runs: Runs) -> Iterator[Target]:
    none = sizes.latencies[0]
    yield Target(
        f"{case}, defaults, latency 0: CPU without start-up, times the floor's",
        _work(runs[none, TAP], TAP, sizes) / _work(runs[none, FLOOR], FLOOR, sizes),
        MOST_CPU,
    )
    yield Target(
        f"{case}, skip_unused_categories: false, latency 0: times as fast as the plain SDK stream",
        runs[none, PLAIN].cost.wall / runs[none, ALL_ROWS].cost.wall,
        least=LEAST_SPEED,
    )


def _overlap(case: Case, sizes: Sizes, runs: Runs) -> Iterator[Target]:
    most = sizes.latencies[-1]
    for tool in (FLOOR, LIBRARY) if (most, LIBRARY) in runs else (FLOOR,):
        yield Target(
            f"{case}, 8 requests at a time, latency {most * 1000:.0f} ms: times as fast as the "
            f"sequential {tool.name}",
            runs[most, tool].cost.wall / runs[most, EIGHT].cost.wall,
            least=LEAST_OVERLAP,
        )


def _requests(case: Case, runs: Runs, *, resumed: bool = False) -> Target:
    """Return the target for requests: 5 % or two more, because windows have whole days."""
    fewest = case.fewest_requests(resumed=resumed)
    return Target(
        f"{case}{' from a state' * resumed}: requests, where {fewest} is the fewest",
        runs[0.0, TAP].requests,
        fewest + max(fewest // 20, 2),
    )
