"""Compares Twilio's own record of each month with Twilio's own days. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from decimal import Decimal, localcontext
from typing import NamedTuple

from tap_twilio_usage.money.amounts import EXACT, ZERO
from tap_twilio_usage.money.enrich import unit
from tap_twilio_usage.money.usage_record import UsageRecord
from tap_twilio_usage.twilio.periods import DAILY, MONTHLY, Window

Totals = Mapping[date, UsageRecord]
NO_CURRENCY = ""  # the currency is part of the key, which must not be null


class Month(NamedTuple):
    """A month of an account in one currency: the sum of its days, and Twilio's own total."""

    days: Window
    price_unit: str
    days_expected: int
    days_reported: int
    daily_total: Decimal
    monthly_total: Decimal | None
    as_of: str | None

    @property
    def difference(self) -> Decimal | None:
        """Twilio's total of the month less the sum of its days; None without a total."""
        if self.monthly_total is None:
            return None
        with localcontext(EXACT):
            return self.monthly_total - self.daily_total

    @property
    def is_missing(self) -> bool:
        """Whether Twilio has no total of the month, or not all of its days."""
        return self.monthly_total is None or self.days_reported < self.days_expected

    @property
    def reconciles(self) -> bool:
        """Whether every day is there and the days add up to the month, exactly."""
        return not self.is_missing and not self.difference

    @property
    def is_reported(self) -> bool:
        """Whether Twilio has any record of it."""
        return self.days_reported > 0 or (self.days_expected > 0 and self.monthly_total is not None)

    def __str__(self) -> str:
        """Return the month and its sums for the log."""
        own = "missing" if self.monthly_total is None else f"{self.monthly_total:,f}"
        return (
            f"{self.days.start:%Y-%m}: {self.days_reported} of {self.days_expected} days, which "
            f"add up to {self.daily_total:,f}; monthly total {own} "
            f"({self.price_unit or 'no currency'})"
        )


def compared(
    window: Window,
    days: Totals,
    months: Totals,
    *,
    first_expected: date | None,
    price_units: Collection[str],
) -> list[Month]:
    """Return the months of the window, oldest first; of the last, only the days of the window.

    `days` and `months` are the `totalprice` of each day and month. A day without a price counts as
    not reported. Every day since `first_expected` is expected, and every day that is reported.
    `price_units` are the currencies that the account had in earlier runs: a month without any
    record is in these, or on a first load in those of the other months; and a currency that a month
    no longer has gets a row of zeros.
    """
    days, months = _priced(days), _priced(months)
    records = [*days.values(), *months.values()]
    known = {*price_units, *filter(None, map(unit, records))}
    default = next(iter(known)) if len(known) == 1 else NO_CURRENCY

    def currency(row: UsageRecord) -> str:
        return unit(row) or default

    of_other_months = set(price_units) or set(map(currency, records))
    found: list[Month] = []
    for period in window.split(1, MONTHLY):
        whole = MONTHLY.period(period.start)
        begun = [day.start for day in period.split(1, DAILY)]
        reported = [days[day] for day in begun if day in days]
        own = [months[period.start]] if period.start in months else []
        expected = sum(day in days or (first_expected or date.max) <= day for day in begun)
        units = set(map(currency, [*own, *reported])) or (of_other_months if expected else set())
        for each in sorted(units):
            in_days = [row for row in reported if currency(row) == each]
            in_month = [row for row in own if currency(row) == each]
            found.append(
                Month(
                    days=whole,
                    price_unit=each,
                    days_expected=expected,
                    days_reported=len(reported),
                    daily_total=_sum(in_days),
                    monthly_total=_sum(in_month) if in_month else None,
                    as_of=max(
                        filter(None, (row.as_of for row in in_month or in_days)), default=None
                    ),
                )
            )
        if units:
            found += [zero(whole, each) for each in sorted(set(price_units) - units)]
    return found


def zero(days: Window, price_unit: str) -> Month:
    """Return a month that overwrites one in the target: nothing is expected, all sums are 0."""
    return Month(days, price_unit, 0, 0, ZERO, ZERO, None)


def _priced(totals: Totals) -> Totals:
    return {day: row for day, row in totals.items() if row.price is not None}


def _sum(rows: list[UsageRecord]) -> Decimal:
    with localcontext(EXACT):
        return sum((row.price or ZERO for row in rows), ZERO)
