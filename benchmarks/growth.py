"""How time, requests and memory grow with days and with accounts."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import linear_regression
from typing import NamedTuple

from benchmarks.case import Case
from benchmarks.report import Table, Target
from benchmarks.runs import Conditions, Run, measure
from benchmarks.sandboxed import Sandbox
from benchmarks.sizes import Sizes
from benchmarks.tools import ALL_ROWS, TAP, Tool

YEAR, FIVE_YEARS = -3, -1  # in the sizes by day
MOST_MEMORY, MOST_GROWTH = 100, 1.1  # MB; times


class Line(NamedTuple):
    """A straight line through measured points, by least squares."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    slope: float
    intercept: float

    @classmethod
    def through(cls, x: Sequence[float], y: Sequence[float]) -> Line:
        """Return the line that fits the points."""
        return cls(tuple(x), tuple(y), *linear_regression(x, y))

    def __call__(self, x: float) -> float:
        """Return the line's value at `x`."""
        return self.intercept + self.slope * x


class Series(NamedTuple):
    """Wall time in seconds, and requests, by the number of units."""

    unit: str
    title: str
    wall: Line
    requests: Line

    @classmethod
    def of(cls, unit: str, title: str, points: Mapping[int, Run]) -> Series:
        """Return the series of runs by the number of units."""
        wall = Line.through(tuple(points), [run.cost.wall for run in points.values()])
        requests = Line.through(tuple(points), [run.requests for run in points.values()])
        return cls(unit, title, wall, requests)

    def __str__(self) -> str:
        """Return the slopes as text."""
        return (
            f"Each additional {self.unit} takes {self.wall.slope * 1000:.2f} ms "
            f"and {self.requests.slope:.2f} requests."
        )


def growth(sizes: Sizes, picture: Path) -> Iterator[str | Target]:
    """Measure the tap with its defaults, by days and by accounts, and draw the chart."""
    from benchmarks.picture import draw  # noqa: PLC0415  (matplotlib takes a second)

    yield "\n### Growth, latency 0 ms"
    days = yield from _measured(TAP, sizes.days, sizes)
    by_day = Series.of("day", "1 account", {case.days: run for case, run in days.items()})
    yield f"\n{by_day}"
    accounts = yield from _measured(TAP, sizes.by_account, sizes)
    by_account = Series.of(
        "account",
        f"{sizes.by_account[0].days} days of each account",
        {case.accounts: run for case, run in accounts.items()},
    )
    yield f"\n{by_account}"
    draw([by_day, by_account], picture)
    year, five_years = sizes.days[YEAR], sizes.days[FIVE_YEARS]
    all_rows = yield from _measured(ALL_ROWS, (year, five_years), sizes)
    yield _is_straight(by_day)
    yield _is_straight(by_account)
    for tool, runs in ((TAP, days), (ALL_ROWS, all_rows)):
        short, long = runs[year].cost.peak, runs[five_years].cost.peak
        name = f"{tool.name}, {five_years}: peak memory"
        yield Target(f"{name}, times that of {year.days} days", long / short, MOST_GROWTH)
        yield Target(f"{name} in MB", max(short, long), MOST_MEMORY)


def _measured(
    tool: Tool, cases: Sequence[Case], sizes: Sizes
) -> Generator[str | Target, None, dict[Case, Run]]:
    runs = {}
    table = Table(tool.name, "wall s", "CPU s", "peak MB", "requests", "fewest", "rows")
    yield from table.head()
    for case in cases:
        with Sandbox(case) as sandbox:
            if sizes.warm:
                measure(tool, sandbox)
            run = runs[case] = measure(tool, sandbox, Conditions(repeats=sizes.repeated(case)))
        fewest = case.fewest_requests()
        yield table.row(f"{case}", *run.cost, run.requests, fewest, run.rows)
    return runs


def _is_straight(series: Series) -> Target:
    """Return the target that the largest case is on the line through the smaller ones."""
    x, y = series.wall.x, series.wall.y
    return Target(
        f"{x[-1]} {series.unit}s: wall, times the value extrapolated from the smaller sizes",
        y[-1] / Line.through(x[:-1], y[:-1])(x[-1]),
        MOST_GROWTH,
    )
