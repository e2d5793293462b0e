"""A year of invented companies' spending, for the benchmarks of forecasts and anomalies.

The categories and prices are the sandbox's. On top of them come growth, a weekly pattern, levels
that drift, noise and holidays. No real account of a year was at hand; the spreads were chosen
before the models were measured. The same name gives the same company.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from sandbox.catalogue import SOURCES, TOTAL, Rhythm, Source
from tap_twilio_usage.money.hierarchy import shipped

FIRST, LAST = date(2025, 1, 1), date(2025, 12, 31)
DAYS = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]
ONE_DAY = timedelta(days=1)
# Federal holidays of the United States, and Good Friday.
HOLIDAYS = {
    *(date(2025, 1, 1), date(2025, 1, 20), date(2025, 2, 17), date(2025, 4, 18), date(2025, 5, 26)),
    *(date(2025, 6, 19), date(2025, 7, 4), date(2025, 9, 1), date(2025, 10, 13)),
    *(date(2025, 11, 11), date(2025, 11, 27), date(2025, 11, 28), date(2025, 12, 24)),
    *(date(2025, 12, 25), date(2025, 12, 26), date(2025, 12, 31)),
}
WORKING_DAYS = (1.05, 1.04, 1.0, 1.0, 0.92)
KNOWN = shipped().categories.keys() - {TOTAL}


class Row(NamedTuple):
    """What one category of a company is charged on a day."""

    company: str
    day: date
    category: str
    usage: int
    price: Decimal


def price_of(category: str) -> Decimal:
    """Return the price of a unit."""
    return next(source.unit_price for source in SOURCES if source.category == category)


@dataclass
class Change:
    """Something unusual: from a day on, for some days, a category is used or costs more."""

    kind: str
    category: str
    first: date
    days: int
    usage: int = 0  # that is added each day
    factor: float = 1.0  # of the unit price

    def covers(self, day: date) -> bool:
        """Return whether the day is one of it."""
        return self.first <= day < self.first + timedelta(days=self.days)


@dataclass
class Spender:
    """A company with one account: what it uses, and how that changes."""

    name: str
    share: float | None = None  # of all categories, that it uses
    scale: float = 1.0
    changes: list[Change] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Draw the company's habits."""
        self._draw = draw = random.Random(self.name)  # noqa: S311
        self._scale = self.scale * math.exp(draw.gauss(0, 0.8))
        self._growth = draw.uniform(-0.02, 0.05)  # a month
        self._weekend = draw.choice([0.15, 0.3, 0.5, 0.9, 1.15])
        is_office = self._weekend < 0.6  # noqa: PLR2004
        self._holiday = draw.uniform(0.25, 0.7) if is_office else draw.uniform(0.7, 1.1)
        self._peak = draw.choice([1.0, 1.0, 1.25])  # before Christmas
        share = draw.choice([0.15, 0.3, 0.6])
        share = share if self.share is None else self.share
        usable = [s for s in SOURCES if s.category in KNOWN and not s.repeated_in]
        self._sources = [source for source in usable if draw.random() < share]

    @property
    def fees(self) -> list[Source]:
        """What is not charged by the day."""
        return [s for s in self._sources if s.rhythm in (Rhythm.MONTHLY, Rhythm.RARE)]

    def rows(self) -> Iterator[Row]:
        """Yield the charges of the year, once."""
        shared = [*self._drift(0.06)]
        for source in self._sources:
            yield from self._of_source(source, shared)
        own = {source.category for source in self._sources}
        for change in self.changes:
            if change.category not in own:
                for day in filter(change.covers, DAYS):
                    cost = price_of(change.category) * change.usage
                    yield Row(self.name, day, change.category, change.usage, cost)

    def _drift(self, spread: float) -> Iterator[float]:
        """Yield a level of each day, which wanders slowly around 1."""
        level = self._draw.gauss(0, spread)
        for _ in DAYS:
            level = 0.98 * level + self._draw.gauss(0, spread * 0.2)
            yield math.exp(level)

    def _of_source(self, source: Source, shared: list[float]) -> Iterator[Row]:
        draw = self._draw
        own = [*self._drift(0.08)]
        growth = self._growth + draw.uniform(-0.02, 0.02)
        noise = draw.uniform(0.06, 0.25)
        volume = source.volume * self._scale * draw.uniform(0.3, 2)
        price = source.unit_price
        for n, day in enumerate(DAYS):
            grown = volume * (1 + growth) ** (n / 30.4)
            if source.rhythm is Rhythm.MONTHLY:
                events = math.ceil(grown) if day.day == 1 else 0
            elif source.rhythm is Rhythm.RARE:
                events = source.volume if draw.random() < 1 / 12 else 0
            else:
                level = grown * shared[n] * own[n] * math.exp(draw.gauss(0, noise))
                if source.rhythm is Rhythm.BUSINESS:
                    level *= self._calendar(day)
                events = max(0, round(level + draw.gauss(0, math.sqrt(level))))
            usage = events * source.usage_per_event
            factor = 1.0
            for change in self.changes:
                if change.category == source.category and change.covers(day):
                    usage += change.usage
                    factor *= change.factor
            cost = price * Decimal(str(factor)) * usage
            yield Row(self.name, day, source.category, usage, cost)

    def _calendar(self, day: date) -> float:
        is_weekend = day.weekday() >= len(WORKING_DAYS)
        factor = self._weekend if is_weekend else WORKING_DAYS[day.weekday()]
        if day in HOLIDAYS and not is_weekend:
            factor *= self._holiday
        if date(2025, 11, 20) <= day <= date(2025, 12, 23):
            factor *= self._peak
        return factor
