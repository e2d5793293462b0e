"""Detects whether Twilio has restated days since they were last read. Pure.

An account's history (Twilio's AllTime) less its newest days is the sum of all older days. If that
sum is the same as in the last run, Twilio has not restated the older days, unless restatements
cancel each other out in the count, usage and price of every category. For that case, older days
are read again after a week at the latest. This saves a company with hundreds of accounts most
requests.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import date
from decimal import Decimal, localcontext

import msgspec

from tap_twilio_usage.money.amounts import EXACT, ZERO
from tap_twilio_usage.money.usage_record import UsageRecord
from tap_twilio_usage.sync.state import AccountState, ReadDays
from tap_twilio_usage.twilio.periods import DAY, EARLIEST, Window
from tap_twilio_usage.twilio.usage_records import Reported

MAX_AGE = 7  # days after which older days are read again
SOON = 3  # days in which the next run is expected; a later one reads its whole lookback
BASE_LENGTH = 16  # hex digits
NOTHING = [ZERO] * 3

Sums = dict[str, list[Decimal]]


class Restatements:
    """Compares the sum of one account's older days with the sum in its state."""

    def __init__(  # noqa: PLR0913  (all by keyword)
        self,
        state: AccountState,
        *,
        all_time: Iterable[Reported],
        window: Window,
        begins: date | None,
        longest: int,
        lookback_days: int,
        reasons: tuple[object, ...],
        today: date,
    ) -> None:
        """Take the account's state and history, the window, and when the account begins.

        `longest` is the number of days of the longest period.

        `reasons` are the settings that also change the rows: if one differs, all days are read.
        """
        self._state = state
        self._all_time = all_time
        self._window = window
        self._read: Sums = {}  # by category
        self._before: dict[date, Sums] = {}  # what was read before some of the days
        # With one of these days the next run begins, if it comes soon.
        end = (window.end - EARLIEST).days - min(lookback_days, (window.end - EARLIEST).days)
        self._next_starts = Window(
            EARLIEST + max(0, end - longest) * DAY, EARLIEST + (end + SOON + longest) * DAY
        )
        self._today = today
        self._max_age = min(MAX_AGE, lookback_days)
        self._reasons = (lookback_days, *reasons)
        self._last_read = state.older_days
        self._read_on = self._last_read.read_on if self._last_read else today
        # False if start_date excludes days of the lookback, which may have been restated.
        self._is_complete = (
            state.first_day is None
            or window.start <= max(state.first_day, begins or state.first_day)
            or (
                state.bookmark is not None and (state.bookmark - window.start).days >= lookback_days
            )
        )

    def none_before_bookmark(self, newer: Iterable[UsageRecord]) -> bool:
        """Return whether no day before the bookmark was restated.

        `newer` are the rows of the bookmark and of all days after it.
        """
        return self._last_read is not None and self._is_unchanged(self._last_read.before, newer)

    def none_up_to_bookmark(self, newer: Iterable[UsageRecord]) -> bool:
        """Return whether no day up to and including the bookmark was restated.

        `newer` are the rows of all days after the bookmark.
        """
        return self._last_read is not None and self._is_unchanged(self._last_read.upto, newer)

    def add(self, day: date, rows: Iterable[UsageRecord]) -> None:
        """Count the rows of a period that was read, in ascending order."""
        if day < self._window.start:
            return  # a missing day of an earlier run
        if day == self._window.start or day in self._next_starts:
            self._before[day] = {category: [*sums] for category, sums in self._read.items()}
        add_amounts(self._read, rows)

    def _bases(self) -> dict[str, str]:
        """Return what all days before some of the days that were read add up to, as fingerprints.

        A later run that begins with one of these days compares: its own answer must be the same.
        """
        found = {}
        left = self._left(self._read)
        for day, before in self._before.items():
            found[f"{day}"] = self._fingerprint(_added(left, before))[:BASE_LENGTH]
        return found

    def _agrees(self, bases: dict[str, str]) -> bool:
        """Return whether AllTime is the sum of the days, as far as that can be known.

        AllTime may show a restatement before the day does: the day must then be read again. The
        days before those that were read have to add up to what the last run found; or to nothing,
        if all days of the account were read. `bases` are what this run found.
        """
        start = f"{self._window.start}"
        known = self._last_read.bases.get(start) if self._last_read else None
        return bases.get(start) == known or not _shown(self._left(self._read))

    def forget(self) -> None:
        """Remove the sums from the state, before days are read that the next run must read again.

        The run may end when the target has only some of the restated days.
        """
        self._state.older_days = None

    def record(self, day: date, rows: Iterable[UsageRecord], *, were_read: bool) -> None:
        """Store the sums in the state: of all days, and of all but `day`, the newest, with `rows`.

        `were_read` says whether this run has read all days of the window.
        """
        bases = self._bases() if were_read else self._last_read.bases if self._last_read else {}
        agrees = not were_read or (self._is_complete and self._agrees(bases))
        self._read, self._before = {}, {}  # to free them before the next account is read
        if not agrees:
            self._state.older_days = ReadDays(day=day, read_on=self._today, bases=bases)
            return
        self._state.older_days = ReadDays(
            day=day,
            read_on=self._today if were_read else self._read_on,
            before=self._fingerprint(self._left(amounts_of(rows))),
            upto=self._fingerprint(self._left({})),
            bases=bases,
        )

    def _is_unchanged(self, fingerprint: str, newer: Iterable[UsageRecord]) -> bool:
        return (
            self._last_read is not None
            and self._last_read.day == self._state.bookmark
            and fingerprint == self._fingerprint(self._left(amounts_of(newer)))
            and (self._today - self._read_on).days < self._max_age
        )

    def _fingerprint(self, sums: Sums) -> str:
        text = msgspec.json.encode([_shown(sums), *map(str, self._reasons)])
        return hashlib.blake2b(text, digest_size=16).hexdigest()

    def _left(self, newest: Sums) -> Sums:
        """Return the account's history without these sums."""
        history = {each.category: [*each.amounts] for each in self._all_time if each.amounts}
        with localcontext(EXACT):
            less = {name: [-amount for amount in sums] for name, sums in newest.items()}
            return _added(history, less)


def _added(one: Sums, other: Sums) -> Sums:
    with localcontext(EXACT):
        return one | {
            category: [a + b for a, b in zip(one.get(category, NOTHING), sums, strict=True)]
            for category, sums in other.items()
        }


def _shown(sums: Sums) -> list[tuple[str, list[str]]]:
    """Return the sums by category as text; nothing that is zero."""
    with localcontext(EXACT):
        return sorted(
            (category, [str(amount.normalize()) for amount in amounts])
            for category, amounts in sums.items()
            if any(amounts)
        )


def amounts_of(rows: Iterable[UsageRecord]) -> Sums:
    """Return count, usage and price of the rows, by category."""
    sums: Sums = {}
    add_amounts(sums, rows)
    return sums


def add_amounts(sums: Sums, rows: Iterable[UsageRecord]) -> None:
    """Add count, usage and price of the rows to the sums, in place."""
    with localcontext(EXACT):
        for row in rows:
            count, usage, price = row.count, row.usage, row.price
            if count or usage or price:
                total = sums.get(row.category)
                if total is None:
                    total = sums[row.category] = [*NOTHING]
                if count:
                    total[0] += count
                if usage:
                    total[1] += usage
                if price:
                    total[2] += price
