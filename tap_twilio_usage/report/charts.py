"""The charts as Vega-Lite, made with Altair. Only here does the report use floats.

Colours are CSS variables of the page, so that its style sheet decides on light and dark.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import altair as alt

from tap_twilio_usage.report.figures import Change, Period, Section
from tap_twilio_usage.report.wording import PENNIES, money

SHOWN = 6  # services with their own colour; more cannot be distinguished
OTHERS = "All other services"
ROW = 30  # pixels per horizontal bar

Spec = dict[str, Any]


@dataclass(frozen=True)
class Legend:
    """The services that have their own colour, largest first, and whether there are more."""

    services: list[str]
    more: bool

    @classmethod
    def of(cls, section: Section) -> Legend:
        """Return the legend of a section: its largest services."""
        names = [name for name, _ in section.services]
        few = len(names) <= SHOWN
        return cls(names if few else names[:SHOWN], not few)

    @property
    def entries(self) -> list[tuple[str, str]]:
        """Each name with its colour."""
        named = [(name, f"var(--s{n})") for n, name in enumerate(self.services, 1)]
        return [*named, (OTHERS, "var(--s0)")] if self.more else named

    def amounts(self, day: Period) -> list[tuple[str, Decimal]]:
        """Return the cost of each entry on a day."""
        named = [(name, day.services.get(name, Decimal(0))) for name in self.services]
        rest = day.deduplicated - sum(amount for _, amount in named)
        return [*named, (OTHERS, rest)] if self.more else named


def by_day(section: Section, legend: Legend) -> Spec:
    """Return a chart with a bar for each day, stacked by service."""
    colours = dict(legend.entries)
    rows = [
        _row(day.first, amount, Service=name, rank=rank)
        for day in section.days
        for rank, (name, amount) in enumerate(legend.amounts(day))
        if amount
    ]
    chart = _chart(rows, height=320, description="Spend by day and service")
    return _finished(
        chart.mark_bar(binSpacing=0).encode(
            x=_day_axis(),
            y=alt.Y("amount:Q", title=section.unit, axis=_amounts()),
            color=alt.Color(
                "Service:N",
                scale=alt.Scale(domain=[*colours], range=[*colours.values()]),
                legend=None,
            ),
            order="rank:O",
            tooltip=["Day:N", "Service:N", "Amount:N"],
        )
    )


def three_sums(section: Section, decimals: int) -> Spec:
    """Return a chart of the naive sum, the deduplicated sum and Twilio's total."""
    whole = section.whole
    bars = [
        ("All categories", whole.naive, "var(--naive)"),
        ("Deduplicated", whole.deduplicated, "var(--s1)"),
        ("totalprice", whole.total or Decimal(0), "var(--s1)"),
    ]
    rows = [
        {
            "Sum": name,
            "amount": float(amount),
            "Amount": money(amount),
            "label": f"{name}: {money(amount, decimals)}",
            "colour": colour,
        }
        for name, amount, colour in bars
    ]
    description = "The sum of all categories, the deduplicated sum and Twilio's totalprice"
    base = _chart(rows, height=3 * 52, description=description).encode(
        y=alt.Y("Sum:N", sort=None, axis=None),
        x=alt.X("amount:Q", title=section.unit, axis=_amounts()),
        tooltip=["Sum:N", "Amount:N"],
    )
    # Above the bars: on a narrow page, a long amount does not fit into a bar.
    names = base.mark_text(align="left", dy=-14, fontSize=13, color="var(--ink)").encode(
        text="label:N", x=alt.datum(0)
    )
    return _finished(base.mark_bar(size=20, yOffset=8).encode(color=_own_colour()) + names)


def remainders(section: Section) -> Spec:
    """Return a chart of each day's remainder: what no category explains."""
    rows = [_row(day.first, day.remainder) for day in section.days]
    chart = _chart(rows, height=150, description="Remainder by day")
    return _finished(
        chart.mark_bar(color="var(--s1)", binSpacing=0).encode(
            x=_day_axis(),
            y=alt.Y("amount:Q", title=section.unit, axis=_amounts(3)),
            tooltip=["Day:N", "Amount:N"],
        )
    )


def largest(section: Section) -> Spec:
    """Return a chart of the largest categories, in the colours of their services."""
    rows = [
        {"Category": name, "Service": service, "amount": float(amount), "Amount": money(amount)}
        for (name, service), amount in section.categories
    ]
    colours = dict(Legend.of(section).entries)
    for row in rows:
        row["colour"] = colours.get(str(row["Service"]), "var(--s0)")
    return _bars(rows, "Category", "The largest categories", section.unit)


def changes(change: Change, unit: str) -> Spec:
    """Return a chart of how much each service changed."""
    rows = [
        {
            "Service": each.service,
            "amount": float(each.difference),
            "Amount": money(each.difference, signed=True),
            "colour": "var(--more)" if each.difference > 0 else "var(--less)",
        }
        for each in change.largest
    ]
    return _bars(rows, "Service", "Change against the month before", unit)


def _bars(rows: list[dict[str, Any]], name: str, description: str, unit: str) -> Spec:
    chart = _chart(rows, height=ROW * max(len(rows), 1), description=description)
    known = [key for key in (name, "Service", "Amount") if rows and key in rows[0]]
    return _finished(
        chart.mark_bar(size=ROW * 0.6).encode(
            y=alt.Y(f"{name}:N", sort=None, title=None),
            x=alt.X("amount:Q", title=unit, axis=_amounts()),
            color=_own_colour(),
            tooltip=[f"{key}:N" for key in dict.fromkeys(known)],
        )
    )


def _chart(rows: list[dict[str, Any]], *, height: int, description: str) -> alt.Chart:
    data = alt.Data(values=rows)  # type: ignore[no-untyped-call]
    return alt.Chart(data, height=height, description=description)


def _row(day: date, amount: Decimal, **more: Any) -> dict[str, Any]:
    return {
        "date": day.isoformat(),
        "Day": day.isoformat(),
        "amount": float(amount),
        "Amount": money(amount),
        **more,
    }


def _own_colour() -> alt.Color:
    return alt.Color("colour:N", scale=None)


def _day_axis() -> alt.X:
    # In UTC, like the days: in local time a browser may draw the day before.
    axis = alt.Axis(format="%d %b", labelOverlap=True, tickCount=8, grid=False)
    return alt.X("utcyearmonthdate(date):T", title=None, axis=axis)


def _amounts(ticks: int = 5) -> alt.Axis:
    return alt.Axis(format=",.12~g", tickCount=ticks, labelOverlap=True)


def _finished(chart: alt.Chart | alt.LayerChart) -> Spec:
    font = "system-ui, sans-serif"
    spec: Spec = (
        chart.properties(width="container", background="transparent")
        .configure(font=font, padding=4)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor="var(--muted)",
            titleColor="var(--muted)",
            gridColor="var(--line)",
            domainColor="var(--line)",
            tickColor="var(--line)",
            labelFontSize=12,
            titleFontSize=12,
            titleFontWeight="normal",
            labelLimit=190,
        )
        .to_dict()
    )
    return spec


def drawn(section: Section, legend: Legend, decimals: int = PENNIES) -> Sequence[tuple[str, Spec]]:
    """Return each chart of a section with its name; `decimals` are those of the tables."""
    charts = [
        ("by-day", by_day(section, legend)),
        ("sums", three_sums(section, decimals)),
        ("remainder", remainders(section)),
        ("largest", largest(section)),
    ]
    if section.change:
        charts.append(("change", changes(section.change, section.unit)))
    return charts
