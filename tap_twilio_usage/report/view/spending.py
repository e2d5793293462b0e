"""What was spent: by day, by month, by service, category, account and owner; and what changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any

from tap_twilio_usage.report import wording
from tap_twilio_usage.report.figures.costs import (
    DayCost,
    by_day,
    movers,
    totals,
    unit_costs,
)
from tap_twilio_usage.report.figures.periods import month_of
from tap_twilio_usage.report.figures.sums import OTHERS, ZERO, Anomaly, Charge
from tap_twilio_usage.report.reading import Part
from tap_twilio_usage.report.view.names import Names, Palette
from tap_twilio_usage.report.view.table import (
    CHANGE,
    DAY,
    GROWTH,
    MONTH,
    PRICE,
    SID,
    TEXT,
    Column,
    Table,
    by_month,
)

LISTED = 25
MOVERS = 15
KINDS = {
    "spike": "more than usual",
    "drop": "less than usual",
    "new_category": "new",
    "price_change": "new price",
}


@dataclass
class Spending:
    """The tables of a part's costs."""

    part: Part
    names: Names
    palette: Palette

    @property
    def unit(self) -> str:
        """The currency."""
        return self.part.section.unit

    @cached_property
    def days(self) -> list[DayCost]:
        """The cost of each day."""
        return by_day(self.part.costs, (day.first for day in self.part.section.days))

    @cached_property
    def months(self) -> list[date]:
        """The first day of each month."""
        return [month_of(month.first) for month in self.part.section.months]

    @property
    def anomalies(self) -> list[Anomaly]:
        """What is unusual, newest first."""
        return sorted(
            self.part.anomalies or [], key=lambda each: (each.day, abs(each.excess)), reverse=True
        )

    @cached_property
    def day_table(self) -> Table:
        """The cost of each day."""
        return Table(
            *("days", "Spend by day", self.unit),
            [
                Column("Day", DAY),
                *(Column("Usage"), Column("Recurring and one-time"), Column("Sum")),
            ],
            [(day.day, day.usage, day.fee, day.usage + day.fee) for day in self.days],
            (
                "All days",
                *map(
                    _sum, zip(*((d.usage, d.fee, d.usage + d.fee) for d in self.days), strict=True)
                ),
            ),
        )

    @cached_property
    def services(self) -> Table:
        """The cost of each service and month."""
        rows: dict[tuple[Any, ...], dict[date, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        for cost in self.part.costs:
            rows[cost.service,][month_of(cost.day)] += cost.amount
        return by_month(
            ("services", "Spend by service and month", self.unit),
            [Column("Service", TEXT)],
            self.months,
            rows,
        )

    @cached_property
    def categories(self) -> Table:
        """The cost of each category and month."""
        rows: dict[tuple[Any, ...], dict[date, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        for cost in self.part.month_costs:
            rows[cost.category, cost.service][cost.month] += cost.amount
        return by_month(
            ("categories", "Spend by category and month", self.unit),
            [Column("Category", TEXT), Column("Service", TEXT)],
            self.months,
            rows,
            LISTED,
        )

    @cached_property
    def accounts(self) -> Table:
        """The cost of each account and month."""
        rows: dict[tuple[Any, ...], dict[date, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        for sid, days in self.part.section.by_account.items():
            for each in days:
                rows[self.names[sid], sid][month_of(each.day)] += each.deduplicated
        return by_month(
            ("accounts", "Spend by account and month", self.unit),
            [Column("Account", TEXT), Column("SID", SID)],
            self.months,
            rows,
            LISTED,
        ).with_last("SID")

    @cached_property
    def owners(self) -> Table | None:
        """The cost of each owner and month."""
        rows: dict[tuple[Any, ...], dict[date, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        for cost in self.part.owner_costs:
            rows[cost.who,][month_of(cost.day)] += cost.amount
        if not rows or set(rows) == {("Unallocated",)}:
            return None
        return by_month(
            ("owners", "Spend by owner and month", self.unit),
            [Column("Owner", TEXT)],
            self.months,
            rows,
            LISTED,
        )

    def spenders(self, first: date, last: date) -> list[tuple[str, Decimal]]:
        """Return owners, or else accounts, and what they spent in some days, largest first."""
        if self.owners:
            sums = totals(
                (c.who, c.amount) for c in self.part.owner_costs if first <= c.day <= last
            )
            return sorted(sums.items(), key=lambda item: (-item[1], item[0]))
        spent = self.part.section.spent_by(first, last)
        return [(self.names[sid], amount) for sid, amount in spent]

    @cached_property
    def movers(self) -> Table | None:
        """What changed since the month before, and why."""
        if self.part.section.change is None:
            return None
        found = movers(self.part.movements)
        sums = [
            (each.before, each.after, each.difference, each.from_price, each.from_volume)
            for each in found
        ]

        def row(name: str, service: str | None, of: Sequence[Sequence[Decimal]]) -> list[Any]:
            before, after, *changes = map(_sum, zip(*of, strict=True)) if of else [ZERO] * 5
            return [name, service, before, after, changes[0], (changes[0], before), *changes[1:]]

        rows = [
            row(each.category, each.service, [of])
            for each, of in zip(found, sums, strict=True)
            if each.difference
        ]
        rest = sums[MOVERS:]
        return Table(
            *("movers", "Changes since the month before", self.unit),
            [
                *(Column("Category", TEXT), Column("Service", TEXT)),
                *(Column("Before"), Column("Now"), Column("Change", CHANGE)),
                Column("%", GROWTH),
                *(Column("From price", CHANGE), Column("From volume", CHANGE)),
            ],
            rows,
            row("All", None, sums),
            MOVERS,
            row(f"{len(rest)} others", None, rest) if rest else None,
        )

    @cached_property
    def unit_costs(self) -> Table:
        """What one unit of each category costs in each month."""
        found = unit_costs(self.part.month_costs)
        months = self.months[-6:]
        return Table(
            *("unit-costs", "What one unit costs", self.unit),
            [
                *(Column("Category", TEXT), Column("Unit", TEXT)),
                *(Column.of(month, PRICE) for month in months),
                Column("Spend"),
            ],
            [
                [each.category, each.unit, *map(each.by_month.get, months), each.cost]
                for each in found
            ],
            shown=LISTED,
        )

    @cached_property
    def unusual(self) -> Table | None:
        """What is unusual."""
        if self.part.anomalies is None:
            return None
        return Table(
            *("unusual", "What was unusual, newest first", self.unit),
            [
                *(Column("Day", DAY), Column("Account", TEXT), Column("Category", TEXT)),
                *(Column("What", TEXT), Column("Cost"), Column("Expected")),
                Column("More or less", CHANGE),
            ],
            [
                (
                    *(
                        each.day,
                        self.names[each.account],
                        each.category,
                        KINDS.get(each.kind, each.kind),
                    ),
                    *(each.cost, each.expected, each.excess),
                )
                for each in self.anomalies
            ],
            shown=LISTED,
        )

    def said(self, each: Anomaly) -> str:
        """Return an anomaly in words."""
        cost, expected = (wording.money(a, self.unit) for a in (each.cost, each.expected))
        kind = KINDS.get(each.kind, each.kind)
        return wording.unusual(each.category, self.names[each.account], cost, expected, kind)

    @cached_property
    def customers(self) -> Table | None:
        """What customers are charged, what that cost, and what is left."""
        charges = sorted(
            self.part.charges, key=lambda each: (each.month, each.customer), reverse=True
        )
        if not charges:
            return None
        return Table(
            *("customers", "Customers' charges", self.unit),
            [
                *(Column("Month", MONTH), Column("Customer", TEXT), Column("Charged")),
                *(
                    Column("Twilio's cost"),
                    Column("Margin", CHANGE),
                    Column("Month is closed", TEXT),
                ),
            ],
            [_charge(each) for each in charges],
            shown=LISTED,
        )

    @property
    def others(self) -> int:
        """The number of accounts that have no sums of their own."""
        return len(self.part.section.accounts) - len(self.part.shown)

    def who(self, account: str) -> str:
        """Return the name of an account, or of those that are not shown."""
        if account == OTHERS:
            return wording.count(self.others, "other account")
        return self.names[account]


def _charge(each: Charge) -> list[Any]:
    margin = each.amount - each.cost
    return [
        each.month,
        each.customer,
        each.amount,
        each.cost,
        margin,
        "yes" if each.is_closed else "no",
    ]


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, ZERO)
