"""Bar charts as inline SVG: bars and lines stretch with the page, text does not.

Only here, where amounts become positions, does the report use floats.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from markupsafe import Markup, escape

from tap_twilio_usage.report import wording

HEIGHT = 1000.0
STEP = 10.0  # the width of a bar with its gap
GAP = 1.6
TICKS, TICKS_IF_SMALL = 4, 2
ROOM = 0.08  # above the highest bar, for its mark
LABELS_ON_A_PHONE = 5
FEWEST = 7  # as many bars have room at least, so that a single one is no wall
EDGE = 94.0  # percent; a label further right would be cut off


@dataclass(frozen=True)
class Bar:
    """One bar: its parts with the names of their colours, and what it says on hover."""

    says: str
    parts: Sequence[tuple[str, Decimal]]
    is_unfinished: bool = False
    mark: str = ""  # what is unusual about it


@dataclass(frozen=True)
class Chart:
    """A chart, `description` being what a person would say that it shows."""

    description: str
    unit: str
    bars: Sequence[Bar]
    labels: Sequence[tuple[int, str]]  # the number of the bar that a label is for
    line: Sequence[Decimal | None] = field(default_factory=list)
    is_small: bool = False
    is_centred: bool = False  # its labels are for bars, not for the days from a bar on

    def __html__(self) -> str:
        """Return the chart for a template."""
        return f"{_drawn(self)}"


def _drawn(chart: Chart) -> Markup:
    low, high, ticks = _scale(chart)
    slots = max(len(chart.bars), FEWEST)
    width = STEP * slots

    def y(amount: float) -> float:
        return round((high - amount) / (high - low) * HEIGHT, 1)

    paths: dict[tuple[str, bool], list[str]] = {}
    hovers, marks = [], []
    for at, bar in enumerate(chart.bars):
        up = down = 0.0
        for colour, amount in bar.parts:
            size = float(amount)
            start = up if size > 0 else down
            top, bottom = sorted((y(start), y(start + size)))
            left, wide, tall = at * STEP + GAP / 2, STEP - GAP, bottom - top
            path = f"M{left:g} {top:g}h{wide:g}v{tall:.4g}h{-wide:g}z"
            paths.setdefault((colour, bar.is_unfinished), []).append(path)
            up, down = (start + size, down) if size > 0 else (up, start + size)
        hovers.append(
            Markup('<rect x="{:g}" width="{:g}" height="{:g}"><title>{}</title></rect>').format(
                at * STEP, STEP, HEIGHT, bar.says
            )
        )
        if bar.mark:
            marks.append(
                Markup(
                    '<span class="mark" style="left:{:.2f}%;bottom:{:.2f}%" title="{}">▲</span>'
                ).format((at + 0.5) / slots * 100, 100 - y(up) / HEIGHT * 100, bar.mark)
            )
    grid = "".join(f"M0 {y(tick):g}h{width:g}" for tick in ticks)
    shapes = [
        f'<path class="{colour}{" faded" if faded else ""}" d="{"".join(parts)}"/>'
        for (colour, faded), parts in paths.items()
    ]
    texts = [wording.short(Decimal(repr(tick)), chart.unit) for tick in ticks]
    return Markup(
        '<div class="chart{size}" role="img" aria-label="{description}" '
        'style="--gutter:{gutter}ch">'
        '<div class="ys">{ys}</div><div class="plot">'
        '<svg viewBox="0 0 {width:g} {height:g}" preserveAspectRatio="none" aria-hidden="true">'
        '<path class="grid" d="{grid}"/>{shapes}<path class="axis" d="M0 {zero:g}h{width:g}"/>'
        '{line}<g class="hover">{hovers}</g></svg>{marks}</div><div class="xs">{xs}</div></div>'
    ).format(
        size=" small" if chart.is_small else "",
        description=chart.description,
        gutter=max(map(len, texts)) + 1,
        ys=Markup().join(
            Markup('<span style="bottom:{:.2f}%">{}</span>').format(
                100 - y(tick) / HEIGHT * 100, text
            )
            for tick, text in zip(ticks, texts, strict=True)
        ),
        width=width,
        height=HEIGHT,
        grid=grid,
        shapes=Markup("".join(shapes)),  # noqa: S704  (numbers and names of colours)
        zero=y(0),
        line=_line(chart.line, y),
        hovers=Markup().join(hovers),
        marks=Markup().join(marks),
        xs=_labels(chart, slots),
    )


def _line(amounts: Sequence[Decimal | None], y: object) -> Markup:
    """Return the line through the middle of the bars, with gaps where there is no amount."""
    assert callable(y)  # noqa: S101
    path, pen = [], "M"
    for at, amount in enumerate(amounts):
        if amount is None:
            pen = "M"
            continue
        path.append(f"{pen}{(at + 0.5) * STEP:g} {y(float(amount)):g}")
        pen = "L"
    return Markup('<path class="line" d="{}"/>').format("".join(path)) if path else Markup()


def _labels(chart: Chart, slots: int) -> Markup:
    most = slots if chart.is_centred else len(chart.labels)
    every = math.ceil(most / LABELS_ON_A_PHONE)
    middle = 0.5 if chart.is_centred else 0.0
    return Markup().join(
        Markup('<span class="{}{}" style="left:{:.2f}%">{}</span>').format(
            "" if number % every == 0 else "wide",
            " centred" if chart.is_centred else "",
            left,
            text,
        )
        for number, (at, text) in enumerate(chart.labels)
        if (left := (at + middle) / slots * 100) < EDGE or chart.is_centred
    )


def _scale(chart: Chart) -> tuple[float, float, list[float]]:
    """Return the lowest and the highest amount of the axis, and its ticks."""
    ups = [sum(float(a) for _, a in bar.parts if a > 0) for bar in chart.bars]
    downs = [sum(float(a) for _, a in bar.parts if a < 0) for bar in chart.bars]
    line = [float(amount) for amount in chart.line if amount is not None]
    high, low = max([0.0, *ups, *line]), min([0.0, *downs, *line])
    if high == low:
        high = 1.0
    rough = (high - low) / (TICKS_IF_SMALL if chart.is_small else TICKS)
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= rough)
    first, last = math.ceil(low / step), math.floor(high / step)
    ticks = [round(number * step, 12) for number in range(first, last + 1)]
    room = (high - low) * ROOM
    return low - room if low < 0 else low, high + room, ticks


def legend(entries: Sequence[tuple[str, str]]) -> Markup:
    """Return the names of colours."""
    return Markup('<ul class="legend">{}</ul>').format(
        Markup().join(
            Markup('<li><svg viewBox="0 0 10 10" aria-hidden="true">{}</svg>{}</li>').format(
                _sample(colour), escape(name)
            )
            for name, colour in entries
        )
    )


def _sample(colour: str) -> Markup:
    if colour == "line":
        return Markup('<path class="line" d="M0 5h10"/>')
    if colour == "mark":
        return Markup('<path class="mark" d="M5 1L9.5 9H.5z"/>')
    return Markup('<path class="{}" d="M0 0h10v10H0z"/>').format(colour)
