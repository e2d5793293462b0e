"""Billing groups, whose usage comes from another API and is not compared with `totalprice`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any

from tap_twilio_usage.report.figures.sums import GroupMonth
from tap_twilio_usage.report.view.table import TEXT, Column, Table, by_month

LISTED = 25


def tables(groups: Iterable[GroupMonth]) -> list[Table]:
    """Return the cost of each billing group and product by month, one table for each currency."""
    units: dict[str, dict[tuple[Any, ...], dict[date, Decimal]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(Decimal))
    )
    for each in groups:
        units[each.unit][each.group, each.product][each.month] += each.amount
    return [
        by_month(
            (f"billing-groups-{unit}", f"Billing groups, in {unit}", unit),
            [Column("Billing group", TEXT), Column("Product", TEXT)],
            sorted({month for months in rows.values() for month in months}),
            rows,
            LISTED,
        )
        for unit, rows in sorted(units.items())
    ]
