"""The first screen: how much, against what, where it ends, what is unusual, and who spends."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property
from typing import NamedTuple

from tap_twilio_usage.report import wording
from tap_twilio_usage.report.figures.periods import end_of_month
from tap_twilio_usage.report.figures.sums import ZERO, Anomaly, Budget
from tap_twilio_usage.report.view.spending import KINDS, Spending
from tap_twilio_usage.report.view.table import SHARE, TEXT, Column, Table

SPENDERS = 5
RECENT = timedelta(days=30)
STATUSES = {"ok": "on track", "at_risk": "at risk", "over": "over budget"}


class Unusual(NamedTuple):
    """What was unusual about an account on a day."""

    day: date
    account: str
    excess: Decimal
    what: str


@dataclass
class Headline:
    """What a person should know who reads nothing else."""

    spending: Spending

    @property
    def unit(self) -> str:
        """The currency."""
        return self.spending.unit

    @cached_property
    def first(self) -> date:
        """The first day of the month that this is about."""
        return self.spending.part.section.month

    @cached_property
    def last(self) -> date:
        """The last loaded day of that month."""
        section = self.spending.part.section
        return min(section.days[-1].first, end_of_month(section.month))

    @property
    def is_whole(self) -> bool:
        """Whether the month is over and loaded."""
        section = self.spending.part.section
        return section.last_finished is not None and section.last_finished >= end_of_month(
            self.first
        )

    @cached_property
    def spent(self) -> Decimal:
        """What was spent in the month."""
        return self.spending.part.section.spent(self.first, self.last)

    @property
    def unfinished(self) -> tuple[date, Decimal] | None:
        """The unfinished day, and what it cost so far."""
        day = self.spending.part.section.unfinished
        return (day.first, day.deduplicated) if day else None

    @property
    def is_behind(self) -> bool:
        """Whether the dbt models lack days that are loaded."""
        built, days = self.spending.part.built_to, self.spending.part.section.days
        return built is not None and built < days[-1].first

    @cached_property
    def budget(self) -> Budget | None:
        """The budget of everything, of the month if there is one."""
        budgets = [
            each
            for each in self.spending.part.budgets
            if each.scope == "all" and each.amount and each.amount > 0
        ]
        order = ("month", "quarter", "year")
        budgets.sort(key=lambda each: (order.index(each.period), each.name))
        return budgets[0] if budgets else None

    @cached_property
    def recent(self) -> list[Unusual]:
        """What was unusual in the last 30 days of an account on a day, the largest first."""
        since = self.spending.part.section.days[-1].first - RECENT
        found: defaultdict[tuple[date, str], list[Anomaly]] = defaultdict(list)
        for each in self.spending.anomalies:
            if each.day > since:
                found[each.day, each.account].append(each)
        unusual = [
            Unusual(day, self.spending.names[account], *_together(parts))
            for (day, account), parts in found.items()
        ]
        return sorted(unusual, key=lambda each: (-abs(each.excess), each.day))

    @property
    def excess(self) -> Decimal:
        """How much more than usual was spent."""
        return sum((each.excess for each in self.recent), ZERO)

    @cached_property
    def spenders(self) -> list[tuple[str, Decimal]]:
        """Who spent most in the month, and the others together."""
        found = [each for each in self.spending.spenders(self.first, self.last) if each[1]]
        if len(found) <= SPENDERS + 1:
            return found
        rest = found[SPENDERS:]
        others = sum((amount for _, amount in rest), ZERO)
        return [*found[:SPENDERS], (f"{len(rest)} others", others)]

    def share(self, amount: Decimal) -> float:
        """Return the width of a spender's bar, in percent of the largest."""
        largest = max((abs(each) for _, each in self.spenders), default=ZERO)
        return round(float(abs(amount) / largest) * 100, 1) if largest else 0.0

    def used(self, budget: Budget) -> Decimal:
        """Return what was spent of a budget of everything."""
        return self.spent if budget.period == "month" else budget.actual

    def pace(self, budget: Budget) -> tuple[float, float, str]:
        """Return how much of a budget is used, how much of its period is over, and its status."""
        used, over = 100 * self.used(budget) / (budget.amount or 1), budget.percent_of_period or 0
        return (
            min(100.0, max(0.0, float(used))),
            min(100.0, max(0.0, float(over))),
            STATUSES.get(budget.status, budget.status),
        )

    @cached_property
    def budgets(self) -> Table | None:
        """Every budget in its current period."""
        budgets = [each for each in self.spending.part.budgets if each.amount is not None]
        if not budgets:
            return None
        names, hundred = self.spending.names, Decimal(100)

        def whose(each: Budget) -> str:
            if each.scope == "account" and each.value:
                return names[each.value]
            return each.value or "all"

        rows = [
            (
                *(each.name, whose(each), STATUSES.get(each.status, each.status)),
                *(wording.span(each.first, each.last), each.amount, each.actual),
                *((each.percent_used or ZERO, hundred), (each.percent_of_period or ZERO, hundred)),
                each.expected,
            )
            for each in sorted(budgets, key=lambda each: (each.first, each.name))
        ]
        return Table(
            *("budgets", "Each budget in its current period", self.unit),
            [
                *(Column("Budget", TEXT), Column("For", TEXT), Column("Status", TEXT)),
                *(Column("Period", TEXT), Column("Amount"), Column("Spent")),
                *(Column("Used", SHARE), Column("Of the time", SHARE), Column("Forecast")),
            ],
            rows,
            bad=frozenset(at for at, row in enumerate(rows) if row[2] == "over budget"),
        )


def _together(parts: list[Anomaly]) -> tuple[Decimal, str]:
    """Return the sum of what is unusual, and the names of the largest."""
    largest = sorted(parts, key=lambda each: -abs(each.excess))
    more = f" and {len(parts) - 1} more" if len(parts) > 1 else ""
    kind = KINDS.get(largest[0].kind, largest[0].kind)
    return sum((each.excess for each in parts), ZERO), f"{largest[0].category}{more} ({kind})"
