"""Memory does not depend on the length of the history."""

from __future__ import annotations

import pytest

from benchmarks.case import Case
from benchmarks.runs import Run, measure
from benchmarks.sandboxed import Sandbox
from benchmarks.tools import ALL_ROWS

YEAR = 365
# The memory of equal runs differs by up to 5 MB; that of 60 days and of two years by up to 10 MB.
# Two years have 96,000 rows, which would take more than 100 MB if they were kept until the end.
MARGIN = 25.0  # MB


def read(days: int) -> Run:
    with Sandbox(Case(days, categories=60)) as sandbox:
        return measure(ALL_ROWS, sandbox)


@pytest.mark.nightly
def test_memory_does_not_grow_with_the_history() -> None:
    short, long = read(60), read(2 * YEAR)
    assert long.rows > 10 * short.rows
    assert long.cost.peak < short.cost.peak + MARGIN
