"""A server that accepts two concurrent requests, and a tap that may send sixteen."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.report import Table, Target
from benchmarks.runs import Conditions, Run, measure
from benchmarks.sandboxed import Sandbox
from benchmarks.sizes import Sizes
from benchmarks.tools import TAP, Tap

AT_A_TIME = 2
FIXED, ADAPTIVE = (1, 2, 4), 16
MOST_TIME, MOST_REFUSED = 1.3, 0.1  # times the best; of all requests


def limited(sizes: Sizes) -> Iterator[str | Target]:
    """Compare a setting of 16 with settings that suit the server better."""
    runs: dict[int, Run] = {}
    how = Conditions(sizes.limited_latency, AT_A_TIME)
    yield (
        f"\n### {sizes.year}, latency {how.latency * 1000:.0f} ms, "
        f"{AT_A_TIME} requests at a time and 429 for more"
    )
    table = Table("max_concurrent_requests", "wall s", "x best", "requests", "refused (429)")
    yield from table.head()
    with Sandbox(sizes.year) as sandbox:
        if sizes.warm:
            measure(TAP, sandbox)
        for setting in (*FIXED, ADAPTIVE):
            tap = Tap(TAP.name, own={"max_concurrent_requests": setting})
            run = runs[setting] = measure(tap, sandbox, how)
            best = min(runs[fixed].cost.wall for fixed in FIXED if fixed in runs)
            yield table.row(
                f"{setting}", run.cost.wall, run.cost.wall / best, run.requests, run.refused
            )
    run = runs[ADAPTIVE]
    server = f"{AT_A_TIME} requests at a time, max_concurrent_requests: {ADAPTIVE}"
    yield Target(f"{server}: wall, times the best fixed setting's", run.cost.wall / best, MOST_TIME)
    yield Target(f"{server}: refused, share of requests", run.refused / run.requests, MOST_REFUSED)
