"""The sums behind the page's filter, as text that a script adds up exactly."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from tap_twilio_usage.report import wording
from tap_twilio_usage.report.figures.sums import OTHERS, ZERO, Cost, MonthCost
from tap_twilio_usage.report.view.spending import Spending

Sums = dict[tuple[str, str], dict[date, Decimal]]


def data(spending: Spending) -> dict[str, Any]:
    """Return the sums of each day and service, and of each month and category.

    `who` lists accounts, and owners if there are rules; the sum of all is that of the accounts.
    """
    part = spending.part
    days = [day.first for day in part.section.days]
    services = sorted({cost.service for cost in part.costs})
    categories = sorted({cost.category for cost in part.month_costs})
    who: list[list[str]] = []
    by: dict[str, dict[str, str]] = {"day": {}, "fee": {}, "month": {}}
    found = {
        "unit": spending.unit,
        "sign": wording.sign(spending.unit),
        "days": [f"{day}" for day in days],
        "months": [f"{month:%Y-%m}" for month in spending.months],
        "who": who,
        "services": services,
        "categories": categories,
        **by,
    }
    accounts = sorted(
        {cost.who for cost in part.costs} | {cost.who for cost in part.month_costs},
        key=lambda who: (who == OTHERS, spending.who(who).lower()),
    )
    groups: list[tuple[str, list[str], Iterable[Cost], Iterable[MonthCost]]] = [
        ("account", accounts, part.costs, part.month_costs)
    ]
    if spending.owners:
        owners = sorted({cost.who for cost in part.owner_costs})
        groups.append(("owner", owners, part.owner_costs, part.owner_month_costs))
    for kind, names, costs, month_costs in groups:
        first = len(who)
        who += [[kind, spending.who(name) if kind == "account" else name] for name in names]
        place = {name: first + at for at, name in enumerate(names)}
        by_day: dict[bool, Sums] = {
            is_fee: defaultdict(lambda: defaultdict(Decimal)) for is_fee in (False, True)
        }
        for cost in costs:
            by_day[cost.is_fee][cost.who, cost.service][cost.day] += cost.amount
        by_month: Sums = defaultdict(lambda: defaultdict(Decimal))
        for each in month_costs:
            by_month[each.who, each.category][each.month] += each.amount
        by["day"].update(_series(by_day[False], place, services, days))
        by["fee"].update(_series(by_day[True], place, services, days))
        by["month"].update(_series(by_month, place, categories, spending.months))
    return found


def _series(
    sums: Sums, places: dict[str, int], names: Sequence[str], days: Sequence[date]
) -> dict[str, str]:
    """Return the amounts of each who and what, empty where they are zero."""
    numbers = {name: at for at, name in enumerate(names)}
    return {
        f"{places[who]}.{numbers[name]}": ",".join(_text(of.get(day, ZERO)) for day in days)
        for (who, name), of in sums.items()
    }


def _text(amount: Decimal) -> str:
    return f"{amount:f}".rstrip("0").rstrip(".") if amount else ""
