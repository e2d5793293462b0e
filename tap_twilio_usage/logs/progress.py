"""What the log says of a stream: how far it is, and in the end that it reconciles."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from decimal import Decimal, localcontext

from tap_twilio_usage.money.amounts import EXACT
from tap_twilio_usage.money.enrich import unit
from tap_twilio_usage.money.hierarchy import UNKNOWN_SERVICE
from tap_twilio_usage.money.usage_record import UsageRecord
from tap_twilio_usage.twilio.periods import Window
from tap_twilio_usage.twilio.usage_records import Account

SAY_HOW_FAR_EVERY = 30.0  # seconds
NO_CURRENCY = "no currency"


class Progress:
    """Counts what one stream emits of its accounts, one after the other."""

    def __init__(self, logger: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with nothing read."""
        self._logger = logger
        self._clock = clock
        self._number = self.accounts = 0  # of the account under way, of all
        self._all = _Sums()

    def next_account(self) -> None:
        """Count the account that comes next, whether or not there is anything to read of it."""
        if not self._number:
            self._began = self._said = self._clock()
        self._number += 1

    def begin(self, account: Account, window: Window, requests: int) -> None:
        """Say what is going to be read of the account."""
        self._account = account
        self._window = window
        self._own = _Sums()
        self._logger.info(
            "%s, subaccounts %s: %s, %d days in %d requests or more",
            account.sid,
            "included" if account.includes_subaccounts else "excluded",
            window,
            window.days,
            requests,
        )

    def add(self, day: date, rows: Sequence[UsageRecord], emitted: int) -> None:
        """Count a period that ends on the day; say how far it is from time to time."""
        self._own.add(rows, emitted)
        if self._clock() - self._said >= SAY_HOW_FAR_EVERY:
            self._said = self._clock()
            days = Window(self._window.start, day).days
            self._logger.info(
                "%s%s: %d of %d days, up to %s; %s",
                self._account.sid,
                f", account {self._number} of {self.accounts}" * (self.accounts > 1),
                days,
                self._window.days,
                day,
                self._pace(days / self._window.days),
            )

    def end(self) -> None:
        """Say what was read of the account and that it reconciles."""
        sid, own = self._account.sid, self._own
        own.days = self._window.days
        self._logger.info("%s: done, %d days, %d rows", sid, own.days, own.rows)
        for line in own.reconciled():
            self._logger.info("%s, %s", sid, line)
        self._all.take(own)

    def summarize(self) -> None:
        """Say what all accounts came to, if anything was read."""
        everything = self._all
        if not everything.accounts:
            return
        self._logger.info(
            "all in all: accounts %d, days %d, rows %d, in %s",
            everything.accounts,
            everything.days,
            everything.rows,
            _duration(self._clock() - self._began),
        )
        if everything.accounts > 1:
            for line in everything.reconciled():
                self._logger.info("all in all, %s", line)
        if everything.unknown:
            spent = (
                f"{category!r} {spend} {currency}"
                for (category, currency), spend in sorted(everything.unknown.items())
            )
            self._logger.info("spent in categories that are not known: %s", ", ".join(spent))

    def _pace(self, share: float) -> str:
        """Give rows, their pace and the time left, with this share of the account behind it."""
        rows, passed = self._all.rows + self._own.rows, self._clock() - self._began
        done = (self._number - 1 + share) / self.accounts
        left = _duration(passed / done - passed)
        return f"{rows} rows, {rows / passed:.0f} a second, about {left} left"


class _Sums:
    """What one account, or all of them, came to."""

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

    def take(self, other: _Sums) -> None:
        self.accounts += 1
        self.days += other.days
        self.rows += other.rows
        with localcontext(EXACT):
            for currency, money in other.by_currency.items():
                self.by_currency[currency].take(money)
            for category, spend in other.unknown.items():
                self.unknown[category] += spend

    def reconciled(self) -> Iterator[str]:
        for currency, money in sorted(self.by_currency.items()):
            if money.total or money.naive:
                yield f"{currency}: {money}"


class _Money:
    """Of one currency."""

    def __init__(self) -> None:
        self.total = self.deduplicated = self.unattributed = self.naive = Decimal(0)

    def add(self, row: UsageRecord) -> None:
        price, share = row.price or 0, row.deduplicated_price or 0
        self.deduplicated += share
        if row.dedup_role == "total":
            self.total += price
            self.unattributed += share
        else:
            self.naive += price

    def take(self, other: _Money) -> None:
        self.total += other.total
        self.deduplicated += other.deduplicated
        self.unattributed += other.unattributed
        self.naive += other.naive

    def __str__(self) -> str:
        return (
            f"totalprice {self.total}, deduplicated {self.deduplicated}, of that "
            f"{self.unattributed} in no category; the prices of all categories add up to "
            f"{self.naive}"
        )


def _duration(seconds: float) -> str:
    """Give it for a person: 45 s, 12 min, 3.5 h."""
    if seconds < 100:  # noqa: PLR2004
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"  # noqa: PLR2004
