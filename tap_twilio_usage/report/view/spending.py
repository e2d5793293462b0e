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
    mean_of_week,
    movers,
    totals,
    unit_costs,
)
from tap_twilio_usage.report.figures.periods import month_of
from tap_twilio_usage.report.figures.sums import OTHERS, ZERO, Anomaly, Charge
from tap_twilio_usage.report.reading import Part
from tap_twilio_usage.report.view.chart import Bar, Chart
from tap_twilio_usage.report.view.names import Names, Palette
from tap_twilio_usage.report.view.table import (
    CHANGE,
    DAY,
    GROWTH,
    MONTH,
    PRICE,
    SHARE,
    SID,
    TEXT,
    Column,
    Table,
    by_month,
)

LISTED = 25
MOVERS = 15
FEW_DAYS = 62  # so many days have labels of weeks, more of months
KINDS = {
    "spike": "more than usual",
    "drop": "less than usual",
    "new_category": "new",
    "price_change": "new price",
}


@dataclass
class Spending:
    """The charts and tables of a part's costs."""

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
    def by_day(self) -> Chart:
        """The usage of each day by service, with its mean of a week and what is unusual."""
        unfinished = self.part.section.unfinished
        means = mean_of_week(self.days[: -1 if unfinished else None])
        marks: defaultdict[date, list[str]] = defaultdict(list)
        for each in self.anomalies:
            marks[each.day].append(self.said(each))
        bars = [
            Bar(
                self._hover(day, is_unfinished=unfinished is not None and day is self.days[-1]),
                self.palette.parts(day.services),
                is_unfinished=unfinished is not None and day is self.days[-1],
                mark="; ".join(marks[day.day]),
            )
            for day in self.days
        ]
        whole = sum((day.usage for day in self.days), ZERO)
        finished = self.days[: -1 if unfinished else None]
        said = (
            f"Bar chart of the usage of each day: {wording.money(whole, self.unit)} in "
            f"{wording.count(len(self.days), 'day')}"
        )
        if finished:
            top = max(finished, key=lambda day: day.usage)
            said += f", most on {wording.day(top.day)} ({wording.money(top.usage, self.unit)})"
        if means and means[-1] is not None:
            said += f"; the mean of the last 7 days is {wording.money(means[-1], self.unit)}"
        if marks:
            said += f"; {wording.count(len(marks), 'unusual day')}"
        return Chart(f"{said}.", self.unit, bars, self._labels, means)

    @cached_property
    def fees(self) -> Chart | None:
        """The recurring and one-time charges of each day."""
        whole = sum((day.fee for day in self.days), ZERO)
        if not any(day.fees for day in self.days):
            return None
        bars = [
            Bar(
                f"{wording.short_day(day.day)}: {_sums(day.fees, self.unit)}",
                self.palette.parts(day.fees),
            )
            for day in self.days
        ]
        top = max(self.days, key=lambda day: day.fee)
        said = (
            f"Bar chart of the recurring and one-time charges of each day: "
            f"{wording.money(whole, self.unit)} in all, most on {wording.day(top.day)} "
            f"({wording.money(top.fee, self.unit)})."
        )
        return Chart(said, self.unit, bars, self._labels, is_small=True)

    def _hover(self, day: DayCost, *, is_unfinished: bool) -> str:
        note = ", unfinished" if is_unfinished else ""
        return f"{day.day:%a} {wording.short_day(day.day)}{note}: {_sums(day.services, self.unit)}"

    @cached_property
    def _labels(self) -> list[tuple[int, str]]:
        days = [day.day for day in self.days]
        if len(days) <= FEW_DAYS:
            return [(at, f"{days[at].day} {days[at]:%b}") for at in range(0, len(days), 7)]
        firsts = [at for at, day in enumerate(days) if day.day == 1 or at == 0]
        return [
            (at, f"{days[at]:%b %Y}" if at == firsts[0] or days[at].month == 1 else f"{days[at]:%b}")
            for at in firsts
        ]

    @property
    def legend(self) -> list[tuple[str, str]]:
        """The names of the colours."""
        return self.palette.legend(
            {name for day in self.days for sums in (day.services, day.fees) for name in sums}
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
            ("All days", *map(_sum, zip(*((d.usage, d.fee, d.usage + d.fee) for d in self.days), strict=True))),
        )

    @cached_property
    def by_month(self) -> Chart:
        """The cost of each month by service."""
        periods, section = self.part.section.months, self.part.section
        sums: dict[date, dict[str, Decimal]] = {month: {} for month in self.months}
        for cost in self.part.costs:
            services = sums[month_of(cost.day)]
            services[cost.service] = services.get(cost.service, ZERO) + cost.amount
        names = [wording.month(each.first, each.last) for each in periods]
        bars = [
            Bar(
                f"{name}: {_sums(sums[month], self.unit)}",
                self.palette.parts(sums[month]),
                is_unfinished=section.unfinished is not None and month == self.months[-1],
            )
            for month, name in zip(self.months, names, strict=True)
        ]
        said = "; ".join(
            f"{name}: {wording.money(each.deduplicated, self.unit)}"
            for name, each in zip(names, periods, strict=True)
        )
        labels = [(at, f"{month:%b %Y}" if at == 0 or month.month == 1 else f"{month:%b}") for at, month in enumerate(self.months)]
        return Chart(f"Bar chart of the spend of each month. {said}.", self.unit, bars, labels, is_centred=True)

    @cached_property
    def services(self) -> Table:
        """The cost of each service and month."""
        rows: dict[tuple[Any, ...], dict[date, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        for cost in self.part.costs:
            rows[cost.service,][month_of(cost.day)] += cost.amount
        return by_month(
            *("services", "Spend by service and month", self.unit),
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
            *("categories", "Spend by category and month", self.unit),
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
            *("accounts", "Spend by account and month", self.unit),
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
            *("owners", "Spend by owner and month", self.unit),
            [Column("Owner", TEXT)],
            self.months,
            rows,
            LISTED,
        )

    def spenders(self, first: date, last: date) -> list[tuple[str, Decimal]]:
        """Return owners, or else accounts, and what they spent in some days, largest first."""
        if self.owners:
            sums = totals((c.who, c.amount) for c in self.part.owner_costs if first <= c.day <= last)
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
                *(Column(f"{month:%b %y}", PRICE) for month in months),
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
                    *(each.day, self.names[each.account], each.category, KINDS.get(each.kind, each.kind)),
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
        return f"{each.category} of {self.names[each.account]}: {cost} instead of {expected} ({kind})"

    @cached_property
    def customers(self) -> Table | None:
        """What customers are charged, what that cost, and what is left."""
        charges = sorted(self.part.charges, key=lambda each: (each.month, each.customer), reverse=True)
        if not charges:
            return None
        return Table(
            *("customers", "Customers’ charges", self.unit),
            [
                *(Column("Month", MONTH), Column("Customer", TEXT), Column("Charged")),
                *(Column("Twilio’s cost"), Column("Margin", CHANGE), Column("Month is closed", TEXT)),
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
            return f"{self.others} other accounts"
        return self.names[account]


def _charge(each: Charge) -> list[Any]:
    margin = each.amount - each.cost
    return [each.month, each.customer, each.amount, each.cost, margin, "yes" if each.is_closed else "no"]


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, ZERO)


def _sums(services: dict[str, Decimal], unit: str) -> str:
    """Return a sum, exact, and the services that it consists of."""
    whole = sum(services.values(), ZERO)
    ranked = sorted(services.items(), key=lambda item: -abs(item[1]))
    named = ", ".join(f"{name} {wording.money(cost, unit)}" for name, cost in ranked[:5] if cost)
    more = ", …" if len(ranked) > 5 else ""  # noqa: PLR2004
    return f"{wording.sign(unit)}{wording.exact(whole)}" + (f" ({named}{more})" if named else "")
