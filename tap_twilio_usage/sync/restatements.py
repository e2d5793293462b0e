"""Detects whether Twilio has restated days since they were last read. Pure.

An account's history (Twilio's AllTime) less its newest days is the sum of all older days. If that
sum is the same as in the last run, Twilio has not restated the older days, unless restatements
cancel each other out in the count, usage and price of every category. For that case, older days
are read again after a week at the latest. This saves a company with hundreds of accounts most
requests.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from decimal import Decimal, localcontext

from tap_twilio_usage.money.amounts import EXACT, ZERO
from tap_twilio_usage.money.usage_record import UsageRecord, amounts
from tap_twilio_usage.sync.state import AccountState, ReadDays
from tap_twilio_usage.twilio.periods import Window
from tap_twilio_usage.twilio.usage_records import Reported

MAX_AGE = 7  # days after which older days are read again


class Restatements:
    """Compares the sum of one account's older days with the sum in its state."""

    def __init__(  # noqa: PLR0913  (all by keyword)
        self,
        state: AccountState,
        *,
        all_time: Iterable[Reported],
        window: Window,
        lookback_days: int,
        reasons: tuple[object, ...],
        today: date,
    ) -> None:
        """Take the account's state and history, and the window of this run.

        `reasons` are the settings that also change the rows: if one differs, all days are read.
        """
        self._state = state
        self._all_time = all_time
        self._today = today
        self._max_age = min(MAX_AGE, lookback_days)
        self._reasons = (lookback_days, *reasons)
        self._last_read = state.older_days
        self._read_on = self._last_read.read_on if self._last_read else today
        # False if start_date excludes days of the lookback, which may have been restated.
        self._is_complete = (
            state.first_day is None
            or window.start <= state.first_day
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

    def forget(self) -> None:
        """Remove the sums from the state, before days are read that the next run must read again.

        The run may end when the target has only some of the restated days.
        """
        self._state.older_days = None

    def record(self, day: date, rows: Iterable[UsageRecord], *, were_read: bool) -> None:
        """Store the sums in the state: of all days, and of all but `day`, the newest, with `rows`.

        `were_read` says whether this run has read all days of the window.
        """
        if were_read and not self._is_complete:
            self.forget()
            return
        self._state.older_days = ReadDays(
            day=day,
            read_on=self._today if were_read else self._read_on,
            before=self._fingerprint(rows),
            upto=self._fingerprint(()),
        )

    def _is_unchanged(self, fingerprint: str, newer: Iterable[UsageRecord]) -> bool:
        return (
            self._last_read is not None
            and self._last_read.day == self._state.bookmark
            and fingerprint == self._fingerprint(newer)
            and (self._today - self._read_on).days < self._max_age
        )

    def _fingerprint(self, newest: Iterable[UsageRecord]) -> str:
        sums: defaultdict[str, list[Decimal]] = defaultdict(lambda: [ZERO] * 3)
        with localcontext(EXACT):
            for reported in self._all_time:
                if reported.amounts:
                    sums[reported.category] = list(reported.amounts)
            for row in newest:
                used = zip(sums[row.category], amounts(row), strict=True)
                sums[row.category] = [before - amount for before, amount in used]
            left = sorted(
                (category, [f"{amount.normalize():f}" for amount in left])
                for category, left in sums.items()
                if any(left)
            )
        text = json.dumps([left, *map(str, self._reasons)])
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
