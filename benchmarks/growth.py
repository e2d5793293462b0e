"""How time, requests and memory grow with days and with accounts."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from statistics import linear_regression
from typing import NamedTuple

from benchmarks.case import Case
from benchmarks.report import Table, Target
from benchmarks.runs import Conditions, Run, measure
from benchmarks.sandboxed import Sandbox
from benchmarks.sizes import Sizes
from benchmarks.tools import ALL_ROWS, TAP, Tool

REPEATS = 2
YEAR, FIVE_YEARS = -3, -1  # in the sizes by day
MOST_MEMORY, MOST_GROWTH = 100.0, 1.1  # MB; times


class Point(NamedTuple):
    """A run of a case."""

    case: Case
    run: Run


class Line(NamedTuple):
    """A straight line through measured points, by least squares."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    slope: float
    intercept: float

    @classmethod
    def through(cls, x: Sequence[float], y: Sequence[float]) -> Line:
        """Fit it."""
        return cls(tuple(x), tuple(y), *linear_regression(x, y))

    def __call__(self, x: float) -> float:
        """Give the line's value."""
        return self.intercept + self.slope * x


class Series(NamedTuple):
    """What grows: wall time in seconds, and requests."""

    unit: str
    wall: Line
    requests: Line

    @classmethod
    def of(cls, unit: str, size: Callable[[Case], int], points: Sequence[Point]) -> Series:
        """Measure the points by the size of their cases, in the unit."""
        sizes = [size(point.case) for point in points]
        wall = Line.through(sizes, [point.run.cost.wall for point in points])
        requests = Line.through(sizes, [point.run.requests for point in points])
        return cls(unit, wall, requests)

    def __str__(self) -> str:
        """Give the slopes."""
        return (
            f"Each {self.unit} more takes {self.wall.slope * 1000:.2f} ms "
            f"and {self.requests.slope:.2f} requests."
        )


def growth(sizes: Sizes, picture: Path) -> Iterator[str | Target]:
    """Measure the tap with its defaults, by days and by accounts, and draw it."""
    from benchmarks.picture import draw  # noqa: PLC0415  (matplotlib takes a second)

    series = []
    yield "\n### Growth, latency 0 ms"
    days = yield from _measured(TAP, sizes.days, sizes)
    series.append(Series.of("day", lambda case: case.days, days))
    yield f"\n{series[-1]}"
    by_account = yield from _measured(TAP, sizes.by_account, sizes)
    series.append(Series.of("account", lambda case: case.accounts, by_account))
    yield f"\n{series[-1]}"
    draw(series, picture)
    all_rows = yield from _measured(ALL_ROWS, (sizes.days[YEAR], sizes.days[FIVE_YEARS]), sizes)
    for each in series:
        yield _is_straight(each)
    yield from _memory(TAP, days[YEAR], days[FIVE_YEARS])
    yield from _memory(ALL_ROWS, *all_rows)


def _measured(
    tool: Tool, cases: Sequence[Case], sizes: Sizes
) -> Generator[str | Target, None, list[Point]]:
    points = []
    table = Table(tool.name, "wall s", "CPU s", "peak MB", "requests", "fewest", "rows")
    yield from table.head()
    for case in cases:
        with Sandbox(case) as sandbox:
            if sizes.warm:
                measure(tool, sandbox)
            run = measure(tool, sandbox, Conditions(repeats=min(REPEATS, sizes.repeats)))
        points.append(Point(case, run))
        fewest = case.fewest_requests()
        yield table.row(f"{case}", *run.cost, run.requests, fewest, run.rows)
    return points


def _is_straight(series: Series) -> Target:
    """See whether the largest case is where the line through all others leads."""
    x, y = series.wall.x, series.wall.y
    return Target(
        f"{x[-1]} {series.unit}s: wall, times what the smaller sizes foretell",
        y[-1] / Line.through(x[:-1], y[:-1])(x[-1]),
        MOST_GROWTH,
    )


def _memory(tool: Tool, year: Point, five_years: Point) -> Iterator[Target]:
    peaks = (year.run.cost.peak, five_years.run.cost.peak)
    yield Target(
        f"{tool.name}, {five_years.case}: peak memory, times that of {year.case.days} days",
        peaks[1] / peaks[0],
        MOST_GROWTH,
    )
    yield Target(f"{tool.name}, {five_years.case}: peak memory in MB", max(peaks), MOST_MEMORY)
