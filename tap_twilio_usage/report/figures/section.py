"""Days of accounts that may be summed: of one currency, with or without subaccounts included."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property
from itertools import groupby
from typing import NamedTuple

from tap_twilio_usage.report.figures import missing, proof
from tap_twilio_usage.report.figures.missing import Gap
from tap_twilio_usage.report.figures.periods import (
    DAY,
    Period,
    each_day,
    merged,
    month_of,
    same_days,
)
from tap_twilio_usage.report.figures.proof import Proof
from tap_twilio_usage.report.figures.sums import ZERO, Account, AccountDay, Month

Loaded = defaultdict[str, set[date]]
Key = tuple[str, bool | None]


class Wrong(NamedTuple):
    """A day of an account whose deduplicated sum is not Twilio's total."""

    day: date
    account: str
    deduplicated: Decimal
    total: Decimal | None

    @property
    def difference(self) -> Decimal:
        """How far the two are apart."""
        return abs(self.deduplicated - (self.total or ZERO))


class Change(NamedTuple):
    """The cost of a month so far, and of the same days of the month before."""

    before: tuple[date, date]
    after: tuple[date, date]
    was: Decimal
    now: Decimal


@dataclass
class Section:
    """Days of accounts that are summed together."""

    unit: str
    rolled_up: bool | None
    since: date | None = None
    # The loaded days of each account in any currency, shared by the sections.
    loaded: Loaded = field(default_factory=lambda: defaultdict(set))
    newest: date | None = None  # the last day that was over at the load, loaded or not
    known: Mapping[str, Account] = field(default_factory=dict)
    other_gaps: list[Gap] = field(default_factory=list)
    by_account: dict[str, list[AccountDay]] = field(default_factory=dict)
    own_months: dict[date, list[Month]] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        """What its days have in common."""
        return self.unit, self.rolled_up

    @property
    def _each(self) -> Iterator[AccountDay]:
        """Every loaded day of every account."""
        return (day for days in self.by_account.values() for day in days)

    @cached_property
    def days(self) -> list[Period]:
        """Every loaded day, in order."""
        found: dict[date, Period] = {}
        for each in self._each:
            found.setdefault(each.day, Period(each.day, each.day)).add(each)
        return [found[day] for day in sorted(found)]

    @cached_property
    def months(self) -> list[Period]:
        """Every month with a loaded day, in order."""
        return [merged(days) for _, days in groupby(self.days, lambda day: month_of(day.first))]

    @cached_property
    def whole(self) -> Period:
        """The sums of all days."""
        return merged(self.days)

    @cached_property
    def unfinished(self) -> Period | None:
        """The last day, if it was not over when Twilio reported it."""
        return self.days[-1] if _is_unfinished(self.days[-1]) else None

    @cached_property
    def last_finished(self) -> date | None:
        """The last day that was over when Twilio reported it."""
        days = self.days[:-1] if self.unfinished else self.days
        return days[-1].first if days else None

    @cached_property
    def month(self) -> date:
        """The month that the headline is about: that of the last finished day, if there is one."""
        return month_of(self.last_finished or self.days[-1].first)

    @cached_property
    def accounts(self) -> list[tuple[str, Decimal]]:
        """The cost of each account, largest first."""
        return self.spent_by(self.days[0].first, self.days[-1].first)

    def spent_by(self, first: date, last: date) -> list[tuple[str, Decimal]]:
        """Return the cost of each account in some days, largest first."""
        sums: defaultdict[str, Decimal] = defaultdict(Decimal)
        for each in self._each:
            if first <= each.day <= last:
                sums[each.account] += each.deduplicated
        return sorted(sums.items(), key=lambda item: (-item[1], item[0]))

    def spent(self, first: date, last: date) -> Decimal:
        """Return the cost of some days."""
        return sum((day.deduplicated for day in self.days if first <= day.first <= last), ZERO)

    @cached_property
    def change(self) -> Change | None:
        """The finished days of the month against the same days of the month before.

        None if some of these days are not loaded for every account.
        """
        if self.last_finished is None:
            return None
        after, before = same_days(self.last_finished)
        loaded = {day.first for day in self.days} - self.missing_days
        if any(day not in loaded for span in (before, after) for day in each_day(*span)):
            return None
        return Change(before, after, self.spent(*before), self.spent(*after))

    @cached_property
    def missing(self) -> dict[str, set[date]]:
        """The missing days of each account: within its life, or in one of Twilio's months."""
        found = {
            account: missing.in_life(self.loaded[account], self.newest, self.known.get(account))
            for account in sorted(self.by_account)
        }
        every = {day.first for day in self.days}
        more = missing.by_months(self.own_months, self.loaded, every, self.since, self._sums)
        for account, days in more.items():
            found.setdefault(account, set()).update(days)
        return found

    @cached_property
    def missing_days(self) -> set[date]:
        """The days that at least one account lacks."""
        return {day for days in self.missing.values() for day in days}

    @cached_property
    def gaps(self) -> list[Gap]:
        """The missing days as ranges; those of the most days and accounts first."""
        for_all = self.missing_days - {day.first for day in self.days} if self.by_account else set()
        some = [
            gap
            for account, days in self.missing.items()
            for gap in missing.gaps(account, days if len(self.missing) == 1 else days - for_all)
        ]
        every = missing.gaps(missing.EVERY, for_all) if len(self.missing) > 1 else []
        every.sort(key=lambda gap: (-gap.days, gap.first))
        return [
            *every,
            *sorted([*some, *self.other_gaps], key=lambda gap: (-gap.days, gap.first, gap.account)),
        ]

    @cached_property
    def proofs(self) -> list[Proof]:
        """Every month next to Twilio's own record of it; empty if none is loaded."""
        return proof.proofs(
            self.months if self.by_account else [],
            self.own_months,
            self.missing_days,
            self._sums,
            self.loaded,
        )

    @cached_property
    def _sums(self) -> dict[tuple[date, str], Decimal]:
        """The sum of the loaded days of each month and account."""
        sums: dict[tuple[date, str], Decimal] = defaultdict(Decimal)
        for each in self._each:
            sums[month_of(each.day), each.account] += each.deduplicated
        return sums

    @cached_property
    def late(self) -> list[tuple[str, date]]:
        """The accounts that begin later than others, though they are older; the latest first.

        Each with its first loaded day. What an account used before may be missing.
        """
        late = [
            (account, begin)
            for account in self.by_account
            if (begin := min(self.loaded[account])) > self.days[0].first
            and self._is_late(account, begin)
        ]
        return sorted(late, key=lambda each: (-each[1].toordinal(), each[0]))

    def _is_late(self, account: str, begin: date) -> bool:
        """Return whether an account can have costs before its first loaded day."""
        months = [m for all_ in self.own_months.values() for m in all_ if m.account == account]
        if months:
            return any(
                month.first == month_of(begin)
                and proof.status(month, self._sums, self.loaded) == proof.PARTIAL
                for month in months
            )
        known = self.known.get(account)
        return known is not None and known.created is not None and known.created + DAY < begin

    @cached_property
    def wrong(self) -> list[Wrong]:
        """The days of accounts that do not add up to Twilio's total, the worst first."""
        found = [
            Wrong(each.day, each.account, each.deduplicated, each.total)
            for each in self._each
            if each.deduplicated != each.total
        ]
        return sorted(found, key=lambda each: (-each.difference, each.day, each.account))

    @cached_property
    def days_to_reconcile(self) -> int:
        """The number of days that are loaded or missing."""
        return len({day.first for day in self.days} | self.missing_days)

    @cached_property
    def reconciled_days(self) -> int:
        """The number of days that are loaded for every account and add up to Twilio's total."""
        wrong = {each.day for each in self.wrong}
        return len({day.first for day in self.days} - self.missing_days - wrong)


def sections(
    days: Iterable[AccountDay],
    months: Iterable[Month] = (),
    accounts: Iterable[Account] = (),
    since: date | None = None,
) -> list[Section]:
    """Return sums by currency and by whether subaccounts are included, largest first.

    Accounts without any cost are left out: a change of `subaccounts` leaves zero rows behind.
    `months` are Twilio's own records of the months; `since` is the first day that was asked for.
    """
    known = {each.sid: each for each in accounts}
    loaded: dict[bool | None, Loaded] = defaultdict(lambda: defaultdict(set))
    newest: dict[bool | None, date] = {}
    found: dict[Key, Section] = {}
    mine: dict[tuple[str, bool | None, str], list[AccountDay]] = defaultdict(list)

    def section(key: Key) -> Section:
        if key not in found:
            found[key] = Section(*key, since, loaded[key[1]], newest.get(key[1]), known)
        return found[key]

    for each in days:
        loaded[each.rolled_up][each.account].add(each.day)
        mine[each.unit, each.rolled_up, each.account].append(each)
    for kind in loaded:
        newest[kind] = _last_finished([its for key, its in mine.items() if key[1] == kind])
    used = {account for account, its in mine.items() if any(each.used for each in its)}
    for account in used:
        section(account[:2]).by_account[account[2]] = mine[account]
    spent, all_known = {*found}, {account for its in loaded.values() for account in its}
    for month in months:
        key = (month.unit, month.rolled_up)
        if (*key, month.account) in used or (
            month.total != 0 and (key in spent or month.account not in all_known)
        ):
            section(key).own_months.setdefault(month.first, []).append(month)
    parts = [found[key] for key in spent]
    parts.sort(key=lambda each: (-each.whole.deduplicated, each.unit))
    if parts:  # it also lists currencies of which no day is loaded
        parts[0].other_gaps += [
            gap._replace(account=f"{gap.account} ({each.unit})")
            for each in (found[key] for key in found.keys() - spent)
            for gap in each.gaps
        ]
    return parts


def _is_unfinished(day: Period) -> bool:
    return day.as_of is not None and day.as_of.date() <= day.first


def _last_finished(accounts: list[list[AccountDay]]) -> date:
    """Return the last day that was over when Twilio reported any account.

    It may be after the last loaded day: what was reported later should have the days until then.
    """
    last = max(each.day for days in accounts for each in days)
    whole = Period(last, last)
    reported: date | None = None
    for days in accounts:
        for each in days:
            if each.day == last:
                whole.add(each)
            if each.as_of is not None:
                reported = max(each.as_of.date(), reported or date.min)
    finished = last - DAY if _is_unfinished(whole) else last
    return max(finished, reported - DAY) if reported else finished
