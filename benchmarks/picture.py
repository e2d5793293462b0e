"""The growth chart: measured points and the line that fits them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib import rc_context
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from benchmarks.growth import Line, Series


def draw(series: Sequence[Series], path: Path) -> None:
    """Write the chart of each series as SVG; the same numbers always give the same file."""
    with rc_context(
        {
            "axes.grid": True,
            "axes.spines.right": False,
            "axes.spines.top": False,
            "font.sans-serif": ["DejaVu Sans"],
            "font.size": 9,
            "grid.alpha": 0.3,
            "svg.fonttype": "none",  # text, not the outlines of letters
            "svg.hashsalt": "growth",  # the same ids each time
        }
    ):
        figure = Figure(figsize=(9, 6), layout="constrained")
        figure.suptitle("tap-twilio-usage with its defaults, latency 0 ms")
        columns = figure.subplots(2, len(series), squeeze=False).T
        for (above, below), each in zip(columns, series, strict=True):
            slope = f"{each.wall.slope * 1000:.1f} ms for each {each.unit}"
            _plot(above, each.wall, slope, f"{each.unit}s", "wall, s")
            slope = f"{each.requests.slope:.2f} requests for each {each.unit}"
            _plot(below, each.requests, slope, f"{each.unit}s", "requests")
            above.set_title(each.title)
        figure.savefig(path, format="svg", metadata={"Creator": None, "Date": None})


def _plot(axes: Axes, line: Line, slope: str, across: str, up: str) -> None:
    ends = (0.0, max(line.x))
    axes.plot(ends, [line(x) for x in ends], color="tab:gray", label=slope)
    axes.plot(line.x, line.y, "o", color="tab:blue", label="measured")
    axes.set(xlabel=across, ylabel=up)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper left")
