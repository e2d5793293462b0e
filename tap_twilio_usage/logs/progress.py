"""How far a stream is, and in the end whether what it loaded reconciles."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import date
from decimal import Decimal, localcontext
from typing import Protocol

from tap_twilio_usage.logs.wording import Logger, count, duration
from tap_twilio_usage.money.amounts import EXACT, ZERO
from tap_twilio_usage.money.enrich import unit
from tap_twilio_usage.money.hierarchy import UNKNOWN_SERVICE
from tap_twilio_usage.money.usage_record import UsageRecord

INTERVAL = 30.0  # seconds between two lines about one account
NO_CURRENCY = "no currency"


class Account(Protocol):
    """An account that is read."""

    @property
    def sid(self) -> str:
        """Its SID."""

    @property
    def includes_subaccounts(self) -> bool:
        """Whether its rows include its subaccounts."""


class Window(Protocol):
    """A range of days, both ends inclusive."""

    @property
    def end(self) -> date:
        """The last day."""

    @property
    def days(self) -> int:
        """The number of days."""


class Progress:
    """Counts and logs what one stream emits of its accounts, one account after the other.

    Set `accounts` to their number.
    """

    def __init__(self, logger: Logger, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with nothing read; `clock` returns seconds."""
        self._logger = logger
        self._clock = clock
        self._number = self.accounts = 0  # of the current account, and of all
        self._all = _Sums()
        self._totals: dict[str, dict[str, Decimal]] = {}  # by account and currency

    def next_account(self) -> None:
        """Count the next account, whether or not there is anything to read of it."""
        if not self._number:
            self._began = self._last_line = self._clock()
        self._number += 1

    def begin(self, account: Account, window: Window, days: int, requests: int) -> None:
        """Log what will be read of the account: the days of the window, and older missing ones."""
        self._account = account
        self._days = days
        self._own = _Sums()
        self._logger.info(
            "%s, %s subaccounts: loading %s (%s) with at least %s",
            account.sid,
            "including" if account.includes_subaccounts else "excluding",
            window,
            count(days, "day"),
            count(requests, "request"),
        )

    def add(self, period: Window, rows: Sequence[UsageRecord], emitted: int) -> None:
        """Count a period; log the progress now and then."""
        self._own.add(rows, emitted)
        self._own.days += period.days
        if self._clock() - self._last_line >= INTERVAL:
            self._last_line = self._clock()
            self._logger.info(
                "%s%s: loaded %s of %s, up to %s; %s",
                self._account.sid,
                f" (account {self._number:,} of {self.accounts:,})" if self.accounts > 1 else "",
                f"{self._own.days:,}",
                count(self._days, "day"),
                period.end,
                self._pace(self._own.days / self._days),
            )

    def end(self) -> None:
        """Log what was read of the account, and its sums."""
        sid, own = self._account.sid, self._own
        self._logger.info("%s: loaded %s", sid, own.counts())
        for line in own.by_currency_lines():
            self._logger.info("%s, %s", sid, line)
        self._all.include(own)
        self._totals[sid] = {name: money.total for name, money in own.by_currency.items()}

    def summary(self) -> Iterator[str]:
        """Yield the sums of all accounts, in three lines at most; none if nothing was read."""
        everything = self._all
        if not everything.accounts:
            return
        yield (
            f"{count(everything.accounts, 'account')}, {everything.counts()} in "
            f"{duration(self._clock() - self._began)}"
        )
        if money := "; ".join(everything.by_currency_lines()):
            yield money
        if everything.unknown:
            spend = ", ".join(
                f"{category!r} {amount:,f} {currency}"
                for (category, currency), amount in sorted(everything.unknown.items())
            )
            yield f"spend in categories that are new to this version: {spend}"

    def is_sum_of(self, sid: str, others: Collection[str]) -> bool:
        """Return whether the account's totals are the sum of those of others, and not zero."""
        own = self._totals.get(sid, {})
        sums: defaultdict[str, Decimal] = defaultdict(Decimal)
        with localcontext(EXACT):
            for other in others:
                for currency, total in self._totals.get(other, {}).items():
                    sums[currency] += total
        return any(own.values()) and all(
            own.get(currency, ZERO) == sums[currency] for currency in {*own, *sums}
        )

    def _pace(self, share: float) -> str:
        """Return rows, rows per second and the time left, given the loaded share of the account."""
        rows, passed = self._all.rows + self._own.rows, self._clock() - self._began
        done = (self._number - 1 + share) / self.accounts
        left = duration(passed / done - passed)
        return f"{count(rows, 'row')}, {rows / passed:,.0f} rows/s, about {left} left"


class _Sums:
    """What was loaded of one account, or of all."""

    def __init__(self) -> None:
        self.accounts = self.days = self.rows = 0
        self.by_currency: defaultdict[str, _Money] = defaultdict(_Money)
        self.unknown: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)

    def add(self, rows: Sequence[UsageRecord], emitted: int) -> None:
        self.rows += emitted
        with localcontext(EXACT):
            for row in rows:
                if row.price or row.deduplicated_price:
                    currency = unit(row) or NO_CURRENCY
                    self.by_currency[currency].add(row)
                    if row.service == UNKNOWN_SERVICE:
                        self.unknown[row.category, currency] += row.deduplicated_price or 0

    def include(self, other: _Sums) -> None:
        self.accounts += 1
        self.days += other.days
        self.rows += other.rows
        with localcontext(EXACT):
            for currency, money in other.by_currency.items():
                self.by_currency[currency].include(money)
            for category, spend in other.unknown.items():
                self.unknown[category] += spend

    def counts(self) -> str:
        return f"{count(self.days, 'day')}, {count(self.rows, 'row')}"

    def by_currency_lines(self) -> Iterator[str]:
        for currency, money in sorted(self.by_currency.items()):
            if money.total or money.naive:
                yield f"{currency}: {money}"


class _Money:
    """The sums of one currency."""

    def __init__(self) -> None:
        self.total = self.deduplicated = self.unattributed = self.naive = ZERO

    def add(self, row: UsageRecord) -> None:
        price, share = row.price or 0, row.deduplicated_price or 0
        self.deduplicated += share
        if row.dedup_role == "total":
            self.total += price
            self.unattributed += share
        else:
            self.naive += price

    def include(self, other: _Money) -> None:
        self.total += other.total
        self.deduplicated += other.deduplicated
        self.unattributed += other.unattributed
        self.naive += other.naive

    def __str__(self) -> str:
        return (
            f"totalprice {self.total:,f}, deduplicated {self.deduplicated:,f} "
            f"({self.unattributed:,f} of it in no category), sum of all categories {self.naive:,f}"
        )
