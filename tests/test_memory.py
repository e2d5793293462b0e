"""A long history takes no more memory than a short one."""

from __future__ import annotations

from benchmarks.memory import YEAR, measure

# Runs of the same length differ by up to 3 MB, and those of 60 days and of two years by no more.
# Two years are 96,000 rows: kept until the end, they would take more than 100 MB.
MARGIN = 8.0  # MB


def test_memory_does_not_grow_with_the_history() -> None:
    short, long = measure(60, categories=60), measure(2 * YEAR, categories=60)
    assert long.rows > 10 * short.rows
    assert long.peak < short.peak + MARGIN
