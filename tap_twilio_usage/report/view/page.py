"""The page: one HTML file that includes everything and makes no network request."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tap_twilio_usage.report import wording
from tap_twilio_usage.report.figures.costs import totals
from tap_twilio_usage.report.reading import Figures, Part
from tap_twilio_usage.report.view import explorer
from tap_twilio_usage.report.view.chart import legend
from tap_twilio_usage.report.view.charts import Charts
from tap_twilio_usage.report.view.groups import groups
from tap_twilio_usage.report.view.headline import Headline
from tap_twilio_usage.report.view.names import Names, Palette
from tap_twilio_usage.report.view.proof import Proof
from tap_twilio_usage.report.view.spending import Spending
from tap_twilio_usage.report.view.table import Table


@dataclass
class View:
    """A part of the page: what has one currency, with or without subaccounts included."""

    part: Part
    spending: Spending
    charts: Charts
    headline: Headline
    proof: Proof

    @property
    def tables(self) -> Iterator[Table]:
        """Every table of the part."""
        money, proof = self.spending, self.proof
        found = (
            *(money.day_table, money.services, money.categories, money.accounts, money.owners),
            *(money.movers, money.unit_costs, self.budgets, money.unusual, money.customers),
            *(proof.sums, proof.days, proof.months, *proof.invoices),
            *(proof.missing, proof.loaded, proof.wrong),
        )
        return (table for table in found if table is not None)

    @cached_property
    def budgets(self) -> Table | None:
        """Every budget in its current period."""
        return self.headline.budgets

    @property
    def whose(self) -> str:
        """Which accounts these are."""
        section = self.part.section
        names = [self.spending.names[sid] for sid, _ in section.accounts]
        said = names[0] if len(names) == 1 else f"{len(names)} accounts"
        kinds = {None: "", True: "including subaccounts", False: "without subaccounts"}
        kind = kinds[section.rolled_up]
        return f"{said}, {'each ' if len(names) > 1 and kind else ''}{kind}".rstrip(", ")

    @property
    def signs(self) -> list[tuple[str, str]]:
        """What else is drawn in the chart of days."""
        signs = [("7-day mean", "line")] if any(self.charts.by_day.line) else []
        if self.spending.anomalies:
            signs.append(("Unusual", "mark"))
        if self.part.section.unfinished:
            signs.append(("Unfinished day", "s0 faded"))
        return signs

    @cached_property
    def explorer(self) -> dict[str, Any]:
        """The sums behind the filter."""
        return explorer.data(self.spending)


class Report:
    """All that is shown."""

    def __init__(self, figures: Figures, source: str) -> None:
        """Take the figures and the name of the warehouse."""
        self.source = source
        names = Names(figures.accounts)
        palette = Palette(
            totals((cost.service, cost.amount) for cost in part.costs) for part in figures.parts
        )
        self.views = []
        for part in figures.parts:
            spending = Spending(part, names, palette)
            self.views.append(
                View(part, spending, Charts(spending), Headline(spending), Proof(part, names))
            )
        self.groups = groups(figures.groups)
        reported = (each.as_of for each in figures.groups if each.as_of)
        self.groups_as_of = max(reported, default=None)

    @property
    def as_of(self) -> datetime | None:
        """When Twilio reported the newest row."""
        times = [view.part.section.whole.as_of for view in self.views]
        return max((time for time in times if time), default=None)

    @property
    def tables(self) -> Iterator[tuple[str, Table]]:
        """Every table with the name of its file."""
        for number, view in enumerate(self.views, 1):
            part = f"-{view.spending.unit}-{number}" if len(self.views) > 1 else ""
            yield from ((f"{table.key}{part}.csv", table) for table in view.tables)
        yield from ((f"{group.table.key}.csv", group.table) for group in self.groups)


def rendered(report: Report) -> str:
    """Return the page."""
    environment = Environment(
        loader=PackageLoader("tap_twilio_usage.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        count=wording.count, day=wording.day, span=lambda days: wording.span(*days)
    )
    numbers = itertools.count(1)
    environment.globals.update(
        next=lambda: next(numbers),
        same=lambda last: "1st" if last.day == 1 else f"1st to the {wording.nth(last.day)}",
        legend=legend,
        time=wording.time,
        percent=wording.percent,
        exact=wording.exact,
    )
    folder = files("tap_twilio_usage.report") / "templates"
    return environment.get_template("page.html").render(
        report=report,
        money=_money,
        big=_big,
        # Both are files of ours.
        style=Markup((folder / "page.css").read_text(encoding="utf-8")),  # noqa: S704
        script=Markup((folder / "page.js").read_text(encoding="utf-8")),  # noqa: S704
    )


def _money(amount: Decimal, unit: str, *, signed: bool = False) -> Markup:
    """Return an amount with two decimals, and all of them on hover."""
    text = wording.money(amount, unit, signed=signed)
    return Markup('<span class="n" title="{}">{}</span>').format(wording.exact(amount), text)


def _big(amount: Decimal, unit: str, *, signed: bool = False) -> Markup:
    """Return an amount as a headline, which is smaller if it has more digits."""
    text = _money(amount, unit, signed=signed)
    return Markup('<p class="big" style="--chars:{}">{}</p>').format(len(text.striptags()), text)
