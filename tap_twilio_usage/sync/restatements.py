"""Whether the days up to the bookmark were restated since they were last read. Pure.

An account's whole history (Twilio's AllTime), less its newest days, is what all older days add up
to. If that is what it was in the last run, none of them was restated, except by restatements that
cancel each other out in count, usage and price of each category. For these, older days are read
again after a week in any case. This saves a company with hundreds of accounts most requests.
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

READ_AGAIN_AFTER = 7  # days


class Restatements:
    """What one account's state remembers of the days up to its bookmark."""

    def __init__(  # noqa: PLR0913  (each is one thing, and given by name)
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

        The `reasons` are what else would make the rows differ: if one changes, all is read again.
        """
        self._state = state
        self._all_time = all_time
        self._today = today
        self._read_again_after = min(READ_AGAIN_AFTER, lookback_days)
        self._reasons = (lookback_days, *reasons)
        self._noted = state.older_days
        self._read_on = self._noted.read_on if self._noted else today
        # Otherwise start_date leaves some days out of the lookback, which may have been restated.
        self._is_complete = (
            state.first_day is None
            or window.start <= state.first_day
            or (
                state.bookmark is not None and (state.bookmark - window.start).days >= lookback_days
            )
        )

    def none_before(self, newer: Iterable[UsageRecord]) -> bool:
        """Return whether the days before the bookmark are known to be as they were.

        `newer` are the rows of the bookmark and of all days after it.
        """
        return self._noted is not None and self._are_as_noted(self._noted.before, newer)

    def none_upto(self, newer: Iterable[UsageRecord]) -> bool:
        """Return whether the days up to the bookmark, with it, are known to be as they were.

        `newer` are the rows of all days after the bookmark.
        """
        return self._noted is not None and self._are_as_noted(self._noted.upto, newer)

    def forget(self) -> None:
        """Have the days read: from now on the target may have some of them as they are now."""
        self._state.older_days = None

    def note(self, day: date, rows: Iterable[UsageRecord], *, were_read: bool) -> None:
        """Keep what all days add up to: up to `day`, the newest one, and without its `rows`."""
        if were_read and not self._is_complete:
            self.forget()
            return
        self._state.older_days = ReadDays(
            day=day,
            read_on=self._today if were_read else self._read_on,
            before=self._fingerprint(rows),
            upto=self._fingerprint(()),
        )

    def _are_as_noted(self, fingerprint: str, newer: Iterable[UsageRecord]) -> bool:
        return (
            self._noted is not None
            and self._noted.day == self._state.bookmark
            and fingerprint == self._fingerprint(newer)
            and (self._today - self._read_on).days < self._read_again_after
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
