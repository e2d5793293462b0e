"""Memory does not depend on the length of the history."""

from __future__ import annotations

from benchmarks.case import Case
from benchmarks.runs import Run, measure
from benchmarks.sandboxed import Sandbox
from benchmarks.tools import ALL_ROWS

YEAR = 365
# The memory of equal runs differs by up to 5 MB; that of 60 days and of a year by up to 10 MB.
# A year has 48,000 rows, which would take more than 50 MB if they were kept until the end.
MARGIN = 25.0  # MB


def read(days: int) -> Run:
    with Sandbox(Case(days, categories=60)) as sandbox:
        return measure(ALL_ROWS, sandbox)


def test_memory_does_not_grow_with_the_history() -> None:
    short, long = read(60), read(YEAR)
    assert long.rows > 5 * short.rows
    assert long.cost.peak < short.cost.peak + MARGIN
