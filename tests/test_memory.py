"""A long history takes no more memory than a short one."""

from __future__ import annotations

from benchmarks.case import Case
from benchmarks.runs import Run, measure
from benchmarks.sandboxed import Sandbox
from benchmarks.tools import ALL_ROWS

YEAR = 365
# Runs of the same length differ by up to 3 MB, and those of 60 days and of two years by no more.
# Two years are 96,000 rows: kept until the end, they would take more than 100 MB.
MARGIN = 8.0  # MB


def read(days: int) -> Run:
    with Sandbox(Case(days, categories=60)) as sandbox:
        return measure(ALL_ROWS, sandbox)


def test_memory_does_not_grow_with_the_history() -> None:
    short, long = read(60), read(2 * YEAR)
    assert long.rows > 10 * short.rows
    assert long.cost.peak < short.cost.peak + MARGIN
