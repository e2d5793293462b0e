"""Sums of costs: by day, by service, by account, and why they changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable
from datetime import date
from decimal import Decimal
from typing import NamedTuple, TypeVar

from tap_twilio_usage.report.figures.sums import ZERO, Cost, MonthCost, Movement

WEEK = 7
SMALLEST_QUANTITY = Decimal("0.0001")  # of less, there is no meaningful cost of a unit
PLACES = Decimal("1e-12")

Name = TypeVar("Name", bound=Hashable)


def totals(pairs: Iterable[tuple[Name, Decimal]]) -> dict[Name, Decimal]:
    """Return the sum of each name."""
    sums: defaultdict[Name, Decimal] = defaultdict(Decimal)
    for name, amount in pairs:
        sums[name] += amount
    return dict(sums)


def ranked(sums: dict[str, Decimal]) -> list[tuple[str, Decimal]]:
    """Return names with their sums, the largest first, without those that are zero."""
    return sorted(((k, v) for k, v in sums.items() if v), key=lambda item: (-item[1], item[0]))


class DayCost(NamedTuple):
    """A day's cost: what was used, by service, and what was charged without usage."""

    day: date
    services: dict[str, Decimal]
    fees: dict[str, Decimal]

    @property
    def usage(self) -> Decimal:
        """The cost of what was used."""
        return sum(self.services.values(), ZERO)

    @property
    def fee(self) -> Decimal:
        """The recurring and one-time charges."""
        return sum(self.fees.values(), ZERO)


def by_day(costs: Iterable[Cost], days: Iterable[date]) -> list[DayCost]:
    """Return the cost of each day."""
    found = {day: DayCost(day, defaultdict(Decimal), defaultdict(Decimal)) for day in days}
    for cost in costs:
        each = found[cost.day]
        (each.fees if cost.is_fee else each.services)[cost.service] += cost.amount
    return list(found.values())


def mean_of_week(days: list[DayCost], missing: Collection[date] = ()) -> list[Decimal | None]:
    """Return the mean usage of each day and the six before; None where they are not all loaded.

    `missing` are the days that an account lacks.
    """
    found: list[Decimal | None] = []
    for at, last in enumerate(days):
        week = days[max(0, at - WEEK + 1) : at + 1]
        is_whole = len(week) == WEEK and (last.day - week[0].day).days == WEEK - 1
        is_whole = is_whole and not any(each.day in missing for each in week)
        mean = sum((each.usage for each in week), ZERO) / WEEK
        found.append(mean.quantize(PLACES) if is_whole else None)
    return found


class Moved(NamedTuple):
    """A change in cost, and the parts of it that price and volume make; they add up to it."""

    service: str
    category: str
    before: Decimal
    after: Decimal
    from_price: Decimal
    from_volume: Decimal

    @property
    def difference(self) -> Decimal:
        """The change in cost."""
        return self.after - self.before


def movers(movements: Iterable[Movement]) -> list[Moved]:
    """Return the change of each category, the largest first.

    It is split for each account: otherwise, a shift between accounts would look like a new price.
    """
    found: dict[tuple[str, str], Moved] = {}
    for each in movements:
        volume = _from_volume(each)
        price = each.after - each.before - volume
        key = (each.service, each.category)
        so_far = found.get(key, Moved(*key, ZERO, ZERO, ZERO, ZERO))
        sums = zip(so_far[2:], (each.before, each.after, price, volume), strict=True)
        found[key] = Moved(*key, *(a + b for a, b in sums))
    return sorted(found.values(), key=lambda each: (-abs(each.difference), each.category))


def _from_volume(each: Movement) -> Decimal:
    """Return what the change in usage costs at the old cost of a unit, as the model unit_costs."""
    if each.usage_before < SMALLEST_QUANTITY or each.usage_after < SMALLEST_QUANTITY:
        return each.after - each.before
    more = each.usage_after - each.usage_before
    return (more * each.before / each.usage_before).quantize(PLACES)


class UnitCost(NamedTuple):
    """What one unit of a category costs in each month."""

    service: str
    category: str
    unit: str
    cost: Decimal
    by_month: dict[date, Decimal]


def unit_costs(costs: Iterable[MonthCost]) -> list[UnitCost]:
    """Return the cost of a unit of each category that is used, the largest category first."""
    sums: dict[tuple[str, str, str], dict[date, tuple[Decimal, Decimal]]] = defaultdict(dict)
    for each in costs:
        months = sums[each.service, each.category, each.unit]
        cost, usage = months.get(each.month, (ZERO, ZERO))
        months[each.month] = (cost + each.amount, usage + each.usage)
    found = [
        UnitCost(
            *key,
            sum((cost for cost, _ in months.values()), ZERO),
            {
                month: (cost / usage).quantize(PLACES)
                for month, (cost, usage) in months.items()
                if usage >= SMALLEST_QUANTITY
            },
        )
        for key, months in sums.items()
    ]
    return sorted(
        (each for each in found if each.by_month), key=lambda each: (-each.cost, each.category)
    )
