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

# The status of a month, worst first.
DAYS_MISSING = "days missing"
DIFFERENT = "different"
MONTH_MISSING = "Twilio has no total"
PARTIAL = "partly loaded"
NOT_COMPARED = "not compared"
OPEN = "not over"
RECONCILED = "reconciled"
STATUSES = (DAYS_MISSING, DIFFERENT, MONTH_MISSING, PARTIAL, NOT_COMPARED, OPEN, RECONCILED)

Sums = dict[str, Decimal]
Loaded = defaultdict[str, set[date]]


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
    as_of: date | None = None

    @property
    def last(self) -> date:
        """The last day of the month."""
        return _last_of_month(self.first)

    @property
    def is_open(self) -> bool:
        """Whether the month was not over when Twilio reported it."""
        return self.as_of is not None and self.as_of <= self.last


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


class Gap(NamedTuple):
    """Successive days that are missing for an account, or for every account."""

    account: str
    first: date
    last: date

    @property
    def days(self) -> int:
        """The number of days."""
        return (self.last - self.first).days + 1


class Proof(NamedTuple):
    """A month of all accounts next to Twilio's own record of it.

    `days_missing` are the days that at least one account lacks; `total` is None if Twilio has none;
    `status` is that of the worst account.
    """

    month: Period
    days_missing: int
    total: Decimal | None
    status: str

    @property
    def is_wrong(self) -> bool:
        """Whether days or the month are missing, or do not add up."""
        return self.status in {DAYS_MISSING, DIFFERENT, MONTH_MISSING}


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
    since: date | None = None
    # The loaded days of each account in any currency, shared by the sections.
    _loaded: Loaded = field(default_factory=lambda: defaultdict(set))
    other_gaps: list[Gap] = field(default_factory=list)
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
    def months(self) -> list[Period]:
        """Every month with a loaded day, in order."""
        months = groupby(self.days, key=lambda day: (day.first.year, day.first.month))
        return [_merged(days) for _, days in months]

    @cached_property
    def has_own_months(self) -> bool:
        """Whether Twilio's own records of the months are loaded."""
        return bool(self._own_months)

    @cached_property
    def missing(self) -> dict[str, set[date]]:
        """The missing days of each account.

        These are the days between two loaded ones, and those that Twilio's months have.
        """
        missing: dict[str, set[date]] = {}
        for account in sorted({account for _, account in self._by_account}):
            loaded = self._loaded[account]
            missing[account] = {*_each_day(min(loaded), max(loaded))} - loaded
        for months in self._own_months.values():
            for month in months:
                loaded = self._loaded[month.account]
                expected = self._expected(month, loaded)
                missing.setdefault(month.account, set()).update(expected - loaded)
        return missing

    @cached_property
    def missing_days(self) -> set[date]:
        """The days that at least one account lacks."""
        return {day for days in self.missing.values() for day in days}

    @cached_property
    def gaps(self) -> list[Gap]:
        """The missing days as ranges; those of the most days and accounts first."""
        for_all = self.missing_days - self._days.keys() if self._days else set()
        some = [
            gap
            for account, days in self.missing.items()
            for gap in _gaps(account, days if len(self.missing) == 1 else days - for_all)
        ]
        every = _gaps("every account", for_all) if len(self.missing) > 1 else []
        every.sort(key=lambda gap: (-gap.days, gap.first))
        return [
            *every,
            *sorted([*some, *self.other_gaps], key=lambda gap: (-gap.days, gap.first, gap.account)),
        ]

    def _expected(self, month: Month, loaded: set[date]) -> set[date]:
        """Return the days of a month that the warehouse must have of an account."""
        last = month.last
        if month.is_open or month.first == max(self._own_months):
            expected = max(each.days_expected for each in self._own_months[month.first])
            begun = [day for day in self._days if month.first <= day <= last]
            last = min(last, max(month.first + timedelta(days=expected - 1), *begun, month.first))
        days = {last - timedelta(days=n) for n in range(month.days_expected)}
        if month.is_open and last - timedelta(days=1) in loaded:
            days.discard(last)  # the load may have been too early for it
        # The load may begin within a month, and skips the time before an account's first usage.
        first = self.since or month.first
        if loaded and month.last < min(loaded) and not month.total:
            return set()
        for begin in (min(loaded, default=first), min(self._days, default=first)):
            if month.first <= begin <= month.last:
                first = max(first, begin)
        return {day for day in days if day >= first}

    @cached_property
    def proofs(self) -> list[Proof]:
        """Every month next to Twilio's own record of it; empty if none is loaded."""
        if not self._own_months:
            return []
        loaded = {month.first.replace(day=1): month for month in self.months}
        own = {
            first
            for first, months in self._own_months.items()
            if any(month.days_expected for month in months)
        }
        firsts = {*loaded, *own, *(day.replace(day=1) for day in self.missing_days)}
        return [
            self._proof(first, loaded.get(first) or Period(first, _last_of_month(first)))
            for first in sorted(firsts)
        ]

    def _proof(self, first: date, month: Period) -> Proof:
        own = {each.account: each for each in self._own_months.get(first, [])}
        accounts = {*own, *(account for at, account in self._sums if at == first)}
        totals = [each.total for each in own.values() if each.total is not None]
        missing = sum(day.replace(day=1) == first for day in self.missing_days)
        statuses = {self._status(first, account, own.get(account)) for account in accounts}
        worst = DAYS_MISSING if missing else min(statuses, key=STATUSES.index)
        return Proof(month, missing, sum(totals, ZERO) if totals else None, worst)

    def _status(self, first: date, account: str, month: Month | None) -> str:
        """Return the status of an account's month."""
        if month is None:
            return NOT_COMPARED
        if month.is_open:
            return OPEN
        if month.total == self._sums.get((first, account), ZERO):
            return RECONCILED
        loaded = sum(day.replace(day=1) == first for day in self._loaded[account])
        if loaded < month.days_expected:
            return PARTIAL
        return DIFFERENT if month.total is not None else MONTH_MISSING

    @cached_property
    def _sums(self) -> dict[tuple[date, str], Decimal]:
        """The sum of the loaded days of each month and account."""
        sums: dict[tuple[date, str], Decimal] = defaultdict(Decimal)
        for (day, account), period in self._by_account.items():
            sums[day.replace(day=1), account] += period.deduplicated
        return sums

    @cached_property
    def late(self) -> list[tuple[str, date]]:
        """The accounts of which a month is partly loaded, though others have earlier days.

        Each with its first loaded day; the latest first.
        """
        late = {
            (month.account, min(self._loaded[month.account]))
            for first, months in self._own_months.items()
            for month in months
            if first == min(self._loaded[month.account], default=date.max).replace(day=1)
            and self._status(first, month.account, month) == PARTIAL
        }
        found = [each for each in late if each[1] > self.days[0].first]
        return sorted(found, key=lambda each: (-each[1].toordinal(), each[0]))

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
    def days_to_reconcile(self) -> int:
        """The number of days that are loaded or missing."""
        return len(self._days.keys() | self.missing_days)

    @cached_property
    def reconciled_days(self) -> int:
        """The number of days that are loaded for every account and add up to Twilio's total."""
        return len(self._days.keys() - self.missing_days - {each.day for each in self.wrong})

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


def summed(
    charges: Iterable[Charge], months: Iterable[Month] = (), since: date | None = None
) -> list[Section]:
    """Return sums by currency and by whether subaccounts are included, largest first.

    Accounts without any cost are left out: a change of `subaccounts` leaves zero rows behind.
    `months` are Twilio's own records of the months; `since` is the first day that was asked for.
    """
    loaded: dict[bool | None, Loaded] = defaultdict(lambda: defaultdict(set))
    sections: dict[tuple[str, bool | None], Section] = {}
    zeros: dict[tuple[str, bool | None, str], list[Charge]] = defaultdict(list)
    used: set[tuple[str, bool | None, str]] = set()

    def section(key: tuple[str, bool | None]) -> Section:
        if key not in sections:
            sections[key] = Section(*key, since, loaded[key[1]])
        return sections[key]

    for charge in charges:
        account = (charge.unit, charge.rolled_up, charge.account)
        loaded[charge.rolled_up][charge.account].add(charge.day)
        if charge.price or charge.deduplicated:
            used.add(account)
            section(account[:2]).add(charge)
        else:
            zeros[account].append(charge)
    for account in used & zeros.keys():
        for charge in zeros[account]:
            section(account[:2]).add(charge)
    known, spent = {account for days in loaded.values() for account in days}, {*sections}
    for month in months:
        key = (month.unit, month.rolled_up)
        if (*key, month.account) in used or (
            month.total != 0 and (key in spent or month.account not in known)
        ):
            section(key).add_month(month)
    found = [sections[key] for key in spent]
    found.sort(key=lambda each: (-each.whole.deduplicated, each.unit))
    if found:  # it also lists currencies of which no day is loaded
        unloaded = [sections[key] for key in sections.keys() - spent]
        found[0].other_gaps += [
            gap._replace(account=f"{gap.account} ({each.unit})")
            for each in unloaded
            for gap in each.gaps
        ]
    return found


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


def _gaps(account: str, days: Iterable[date]) -> list[Gap]:
    """Return the days as ranges, in order."""
    gaps: list[Gap] = []
    for day in sorted(days):
        if gaps and day - gaps[-1].last == timedelta(days=1):
            gaps[-1] = gaps[-1]._replace(last=day)
        else:
            gaps.append(Gap(account, day, day))
    return gaps


def _last_of_month(day: date) -> date:
    return day.replace(day=monthrange(day.year, day.month)[1])


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
