"""The charts of a part: each day, recurring and one-time charges apart, and each month."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property

from tap_twilio_usage.report import wording
from tap_twilio_usage.report.figures.costs import DayCost, mean_of_week
from tap_twilio_usage.report.figures.periods import end_of_month, month_of
from tap_twilio_usage.report.figures.sums import ZERO
from tap_twilio_usage.report.view.chart import Bar, Chart
from tap_twilio_usage.report.view.spending import Spending

FEW_DAYS = 62  # so many days have labels of weeks, more of months
NAMED = 5  # services in what a bar says


@dataclass
class Charts:
    """The charts of a part's costs."""

    spending: Spending

    @cached_property
    def by_day(self) -> Chart:
        """The usage of each day by service, with its mean of a week and what is unusual."""
        unfinished = self.spending.part.section.unfinished
        means = mean_of_week(
            self.spending.days[: -1 if unfinished else None],
            self.spending.part.section.missing_days,
        )
        marks: defaultdict[date, list[str]] = defaultdict(list)
        for each in self.spending.anomalies:
            marks[each.day].append(self.spending.said(each))
        bars = [
            Bar(
                self._hover(
                    day, is_unfinished=unfinished is not None and day is self.spending.days[-1]
                ),
                self.spending.palette.parts(day.services),
                is_unfinished=unfinished is not None and day is self.spending.days[-1],
                mark="; ".join(marks.get(day.day, [])),
            )
            for day in self.spending.days
        ]
        whole = sum((day.usage for day in self.spending.days), ZERO)
        finished = self.spending.days[: -1 if unfinished else None]
        said = (
            f"Bar chart of the usage of each day: {wording.money(whole, self.spending.unit)} in "
            f"{wording.count(len(self.spending.days), 'day')}"
        )
        if finished:
            top = max(finished, key=lambda day: day.usage)
            said += (
                f", most on {wording.day(top.day)} ({wording.money(top.usage, self.spending.unit)})"
            )
        if means and means[-1] is not None:
            said += (
                f"; the mean of the last 7 days is {wording.money(means[-1], self.spending.unit)}"
            )
        if marks:
            said += f"; {wording.count(len(marks), 'unusual day')}"
        return Chart(f"{said}.", self.spending.unit, bars, self._labels, means)

    @cached_property
    def fees(self) -> Chart | None:
        """The recurring and one-time charges of each day."""
        whole = sum((day.fee for day in self.spending.days), ZERO)
        if not any(day.fees for day in self.spending.days):
            return None
        bars = [
            Bar(
                f"{wording.short_day(day.day)}: {_sums(day.fees, self.spending.unit)}",
                self.spending.palette.parts(day.fees),
            )
            for day in self.spending.days
        ]
        top = max(self.spending.days, key=lambda day: day.fee)
        said = (
            f"Bar chart of the recurring and one-time charges of each day: "
            f"{wording.money(whole, self.spending.unit)} in all, most on {wording.day(top.day)} "
            f"({wording.money(top.fee, self.spending.unit)})."
        )
        return Chart(said, self.spending.unit, bars, self._labels, is_small=True)

    def _hover(self, day: DayCost, *, is_unfinished: bool) -> str:
        note = ", unfinished" if is_unfinished else ""
        sums = _sums(day.services, self.spending.unit)
        return f"{day.day:%a} {wording.short_day(day.day)}{note}: {sums}"

    @cached_property
    def _labels(self) -> list[tuple[int, str]]:
        days = [day.day for day in self.spending.days]
        if len(days) <= FEW_DAYS:
            return [(at, f"{days[at].day} {days[at]:%b}") for at in range(0, len(days), 7)]
        firsts = [at for at, day in enumerate(days) if day.day == 1 or at == 0]
        return [
            (
                at,
                f"{days[at]:%b %Y}" if at == firsts[0] or days[at].month == 1 else f"{days[at]:%b}",
            )
            for at in firsts
        ]

    @property
    def legend(self) -> list[tuple[str, str]]:
        """The names of the colours."""
        return self.spending.palette.legend(
            {
                name
                for day in self.spending.days
                for sums in (day.services, day.fees)
                for name in sums
            }
        )

    @cached_property
    def by_month(self) -> Chart:
        """The cost of each month by service."""
        periods, section = self.spending.part.section.months, self.spending.part.section
        sums: dict[date, dict[str, Decimal]] = {month: {} for month in self.spending.months}
        for cost in self.spending.part.costs:
            services = sums[month_of(cost.day)]
            services[cost.service] = services.get(cost.service, ZERO) + cost.amount
        names = [wording.month(each.first, each.last) for each in periods]
        bars = [
            Bar(
                f"{name}: {_sums(sums[month], self.spending.unit)}",
                self.spending.palette.parts(sums[month]),
                is_unfinished=(section.last_finished or month) < end_of_month(month),
            )
            for month, name in zip(self.spending.months, names, strict=True)
        ]
        said = "; ".join(
            f"{name}: {wording.money(each.deduplicated, self.spending.unit)}"
            for name, each in zip(names, periods, strict=True)
        )
        labels = [
            (at, f"{month:%b %Y}" if at == 0 or month.month == 1 else f"{month:%b}")
            for at, month in enumerate(self.spending.months)
        ]
        return Chart(
            f"Bar chart of the spend of each month. {said}.",
            self.spending.unit,
            bars,
            labels,
            is_centred=True,
        )


def _sums(services: dict[str, Decimal], unit: str) -> str:
    """Return a sum, exact, and the services that it consists of."""
    whole = sum(services.values(), ZERO)
    ranked = sorted(services.items(), key=lambda item: -abs(item[1]))
    named = ", ".join(
        f"{name} {wording.money(cost, unit)}" for name, cost in ranked[:NAMED] if cost
    )
    more = ", …" if len(ranked) > NAMED else ""
    return f"{wording.sign(unit)}{wording.exact(whole)}" + (f" ({named}{more})" if named else "")
