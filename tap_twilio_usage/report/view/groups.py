"""Billing groups, whose usage comes from another API and is not compared with `totalprice`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from tap_twilio_usage.report import wording
from tap_twilio_usage.report.figures.costs import totals
from tap_twilio_usage.report.figures.sums import ZERO, GroupMonth
from tap_twilio_usage.report.view.chart import Bar, Chart
from tap_twilio_usage.report.view.names import Palette
from tap_twilio_usage.report.view.table import TEXT, Column, Table, by_month

LISTED = 25


class Group(NamedTuple):
    """What billing groups cost in one currency."""

    legend: list[tuple[str, str]]
    chart: Chart
    table: Table


def groups(costs: Iterable[GroupMonth]) -> list[Group]:
    """Return the cost of each billing group and product by month, for each currency."""
    units: defaultdict[str, list[GroupMonth]] = defaultdict(list)
    for each in costs:
        units[each.unit].append(each)
    return [_group(unit, units[unit]) for unit in sorted(units)]


def _group(unit: str, costs: list[GroupMonth]) -> Group:
    rows: dict[tuple[Any, ...], dict[date, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    products: dict[date, dict[str, Decimal]] = {}
    for each in sorted(costs, key=lambda each: each.month):
        rows[each.group, each.product][each.month] += each.amount
        sums = products.setdefault(each.month, {})
        sums[each.product] = sums.get(each.product, ZERO) + each.amount
    palette = Palette([totals((each.product, each.amount) for each in costs)])
    months = [*products]
    table = by_month(
        (f"billing-groups-{unit}", f"Billing groups, in {unit}", unit),
        [Column("Billing group", TEXT), Column("Product", TEXT)],
        months,
        rows,
        LISTED,
    )
    spent = {month: sum(products[month].values(), ZERO) for month in months}
    said = [f"{month:%b %Y}: {wording.money(spent[month], unit)}" for month in months]
    chart = Chart(
        f"Bar chart of what billing groups cost in each month. {'; '.join(said)}.",
        unit,
        [
            Bar(text, palette.parts(products[month]))
            for month, text in zip(months, said, strict=True)
        ],
        [(at, f"{month:%b %Y}") for at, month in enumerate(months)],
        is_centred=True,
    )
    return Group(palette.legend({each.product for each in costs}), chart, table)
