"""The figures of the report, summed exactly from charges: no database, no charts, no floats."""

from __future__ import annotations

from calendar import monthrange
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property
from itertools import groupby
from typing import NamedTuple

from tap_twilio_usage.money.hierarchy import TOTAL, normalise

ZERO = Decimal(0)
LARGEST = 10

Sums = dict[str, Decimal]


class Charge(NamedTuple):
    """The columns of a row of `usage_records_daily` that the report needs."""

    account: str
    rolled_up: bool | None
    unit: str
    day: date
    category: str
    service: str
    price: Decimal | None
    deduplicated: Decimal | None

    @property
    def is_total(self) -> bool:
        """Whether it is Twilio's total of the day."""
        return normalise(self.category) == TOTAL


class Month(NamedTuple):
    """The columns of a row of `usage_reconciliation` that the report needs."""

    account: str
    rolled_up: bool | None
    unit: str
    first: date
    days_expected: int
    total: Decimal | None


@dataclass
class Period:
    """The sums of the loaded days from `first` to `last`; `total` is None if Twilio has none."""

    first: date
    last: date
    services: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    naive: Decimal = ZERO
    deduplicated: Decimal = ZERO
    total: Decimal | None = None
    remainder: Decimal = ZERO

    def add(self, charge: Charge) -> None:
        """Add a charge."""
        price, deduplicated = charge.price or ZERO, charge.deduplicated or ZERO
        self.services[charge.service] += deduplicated
        self.deduplicated += deduplicated
        if charge.is_total:
            if charge.price is not None:
                self.total = price + (self.total or ZERO)
            self.remainder += deduplicated
        else:
            self.naive += price


class Wrong(NamedTuple):
    """A day of an account whose deduplicated sum is not Twilio's total."""

    day: date
    account: str
    deduplicated: Decimal
    total: Decimal | None


class Proof(NamedTuple):
    """A month of all accounts: how many of its days are missing, and Twilio's own total of it.

    `total` is None if Twilio has none; `is_whole` is whether it is of exactly the loaded days.
    """

    month: Period
    days_missing: int
    total: Decimal | None
    is_whole: bool

    @property
    def is_wrong(self) -> bool:
        """Whether days are missing, or all are there and do not add up to Twilio's total."""
        differs = self.is_whole and self.total != self.month.deduplicated
        return self.days_missing > 0 or differs


class Changed(NamedTuple):
    """The cost of a service in the same days of two months."""

    service: str
    before: Decimal
    after: Decimal

    @property
    def difference(self) -> Decimal:
        """The change in cost."""
        return self.after - self.before


class Change(NamedTuple):
    """The last month against the same days of the month before, largest difference first."""

    before: tuple[date, date]
    after: tuple[date, date]
    services: list[Changed]

    @property
    def sum(self) -> Changed:
        """The change of all services."""
        return _sum("All services", self.services)

    @property
    def largest(self) -> list[Changed]:
        """The ten services that changed most."""
        return self.services[:LARGEST]

    @property
    def others(self) -> Changed | None:
        """The change of all other services, if there are any."""
        rest = self.services[LARGEST:]
        return _sum(f"{len(rest)} other services", rest) if rest else None


@dataclass
class Section:
    """Charges that are summed together: of one currency, with or without subaccounts included."""

    unit: str
    rolled_up: bool | None
    _days: dict[date, Period] = field(default_factory=dict)
    _by_account: dict[tuple[date, str], Period] = field(default_factory=dict)
    _categories: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    _own_months: dict[date, list[Month]] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, bool | None]:
        """What its charges have in common."""
        return self.unit, self.rolled_up

    def add_month(self, month: Month) -> None:
        """Add Twilio's own record of a month of an account."""
        self._own_months.setdefault(month.first, []).append(month)

    def add(self, charge: Charge) -> None:
        """Add a charge."""
        day = charge.day
        self._days.setdefault(day, Period(day, day)).add(charge)
        self._by_account.setdefault((day, charge.account), Period(day, day)).add(charge)
        if not charge.is_total:
            name = (charge.category, charge.service)
            self._categories[name] = self._categories.get(name, ZERO) + (
                charge.deduplicated or ZERO
            )

    @cached_property
    def days(self) -> list[Period]:
        """Every loaded day, in order."""
        return [self._days[day] for day in sorted(self._days)]

    @cached_property
    def missing(self) -> int:
        """The number of days between the first and the last that are not loaded."""
        return len(_each_day(self.days[0].first, self.days[-1].first)) - len(self.days)

    @cached_property
    def months(self) -> list[Period]:
        """Every month with a loaded day, in order."""
        months = groupby(self.days, key=lambda day: (day.first.year, day.first.month))
        return [_merged(days) for _, days in months]

    @cached_property
    def proofs(self) -> list[Proof]:
        """Every month against Twilio's own record of it; empty if none is loaded."""
        return [self._proof(month) for month in self.months] if self._own_months else []

    @cached_property
    def days_missing(self) -> int:
        """The number of days that Twilio's months have and the warehouse lacks."""
        return sum(proof.days_missing for proof in self.proofs)

    def _proof(self, month: Period) -> Proof:
        first = month.first.replace(day=1)
        is_last = month is self.months[-1]
        missing, total, is_whole = 0, ZERO, first in self._own_months
        found = False
        for each in self._own_months.get(first, []):
            days = self._days_of.get(each.account, [])
            loaded = sum(month.first <= day <= month.last for day in days)
            # Days before the account's first loaded one are not missing, nor is the last day, on
            # which the load may have been too early for Twilio.
            before = max(0, (days[0] - first).days) if days else 0
            missing += max(0, each.days_expected - loaded - before - is_last)
            is_whole = is_whole and each.total is not None and loaded >= each.days_expected
            if each.total is not None:
                total, found = total + each.total, True
        return Proof(month, missing, total if found else None, is_whole and not is_last)

    @cached_property
    def _days_of(self) -> dict[str, list[date]]:
        """The loaded days of each account, in order."""
        days: dict[str, list[date]] = defaultdict(list)
        for day, account in sorted(self._by_account):
            days[account].append(day)
        return days

    @cached_property
    def whole(self) -> Period:
        """The sums of all days."""
        return _merged(self.days)

    @cached_property
    def services(self) -> list[tuple[str, Decimal]]:
        """Each service with a cost on any day, largest first."""
        used = {name for day in self.days for name, amount in day.services.items() if amount}
        return _largest({name: self.whole.services[name] for name in used})

    @cached_property
    def categories(self) -> list[tuple[tuple[str, str], Decimal]]:
        """The ten largest categories, each with its service."""
        ranked = sorted(self._categories.items(), key=lambda item: (-item[1], item[0]))
        return [(name, amount) for name, amount in ranked if amount > 0][:LARGEST]

    @cached_property
    def accounts(self) -> list[tuple[str, Decimal]]:
        """The cost of each account, largest first."""
        sums: Sums = defaultdict(Decimal)
        for (_, account), period in self._by_account.items():
            sums[account] += period.deduplicated
        return _largest(sums)

    @cached_property
    def wrong(self) -> list[Wrong]:
        """The days of accounts that do not add up to Twilio's total."""
        return [
            Wrong(day, account, period.deduplicated, period.total)
            for (day, account), period in sorted(self._by_account.items())
            if period.deduplicated != period.total
        ]

    @cached_property
    def change(self) -> Change | None:
        """The last month against the same days of the month before; None if some are not loaded."""
        after, before = _same_days(self.days[-1].first)
        if any(day not in self._days for span in (before, after) for day in _each_day(*span)):
            return None
        then, now = (
            _merged(self._days[day] for day in _each_day(*span)) for span in (before, after)
        )
        services = [
            Changed(name, then.services[name], now.services[name]) for name, _ in self.services
        ]
        services.sort(key=lambda each: -abs(each.difference))
        return Change(before, after, services)


def summed(charges: Iterable[Charge], months: Iterable[Month] = ()) -> list[Section]:
    """Return sums by currency and by whether subaccounts are included, largest first.

    Accounts without any cost are left out: a change of `subaccounts` leaves zero rows behind.
    `months` are Twilio's own records of the months.
    """
    sections: dict[tuple[str, bool | None], Section] = {}
    zeros: dict[tuple[str, bool | None, str], list[Charge]] = defaultdict(list)
    used: set[tuple[str, bool | None, str]] = set()
    for charge in charges:
        key = (charge.unit, charge.rolled_up)
        account = (*key, charge.account)
        if charge.price or charge.deduplicated:
            used.add(account)
            sections.setdefault(key, Section(*key)).add(charge)
        else:
            zeros[account].append(charge)
    for account in used & zeros.keys():
        for charge in zeros[account]:
            sections[account[:2]].add(charge)
    for month in months:
        section = sections.get((month.unit, month.rolled_up))
        if section and ((*section.key, month.account) in used or month.total):
            section.add_month(month)
    return sorted(sections.values(), key=lambda each: (-each.whole.deduplicated, each.unit))


def _merged(days: Iterable[Period]) -> Period:
    first, *more = days
    found = Period(first.first, first.last)
    for day in (first, *more):
        found.last = day.last
        for name, amount in day.services.items():
            found.services[name] += amount
        found.naive += day.naive
        found.deduplicated += day.deduplicated
        found.remainder += day.remainder
        if day.total is not None:
            found.total = day.total + (found.total or ZERO)
    return found


def _sum(name: str, services: Sequence[Changed]) -> Changed:
    before = sum((each.before for each in services), ZERO)
    return Changed(name, before, sum((each.after for each in services), ZERO))


def _largest(sums: Sums) -> list[tuple[str, Decimal]]:
    return sorted(sums.items(), key=lambda item: (-item[1], item[0]))


def _each_day(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def _same_days(last: date) -> tuple[tuple[date, date], tuple[date, date]]:
    """Return the days of a month up to a day, and the same days of the month before.

    If the month is complete, so is the other.
    """
    first = last.replace(day=1)
    end = first - timedelta(days=1)
    whole = last.day == monthrange(last.year, last.month)[1]
    same = end if whole else end.replace(day=min(last.day, end.day))
    return (first, last), (end.replace(day=1), same)
