"""Whether days up to the bookmark can have changed: what their usage adds up to. Pure.

An account's whole history (Twilio's AllTime), less its newest days, is what all older days add up
to. Where that is what it was in the last run, none of them was restated, but for restatements that
cancel each other out in count, usage and price of each category: for these, older days are read
again after a week in any case. A company with hundreds of accounts saves most of its requests.
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
from tap_twilio_usage.sync import state
from tap_twilio_usage.sync.state import Partition
from tap_twilio_usage.twilio.periods import Window, today
from tap_twilio_usage.twilio.usage_records import Reported

READ_AGAIN_AFTER = 7  # days
BEFORE, UPTO = "before", "upto"


class Restatements:
    """The days of one account up to its bookmark, as its state remembers them."""

    def __init__(
        self,
        partition: Partition,
        all_time: Iterable[Reported],
        window: Window,
        lookback_days: int,
        reasons: tuple[object, ...],
    ) -> None:
        """Take the account's state and history, and what this run is going to read.

        The `reasons` are what else would make the rows differ: if one changes, all is read again.
        """
        bookmark, first_day = state.bookmark(partition), state.first_day(partition)
        self._partition = partition
        self._all_time = all_time
        self._read_again_after = min(READ_AGAIN_AFTER, lookback_days)
        self._reasons = (lookback_days, *reasons)
        self._noted = partition.get(state.OLDER_DAYS)
        self._read_on = date.fromisoformat(self._noted["read_on"]) if self._noted else today()
        # Otherwise start_date leaves some days out of the lookback, which may have been restated.
        self._is_complete = (
            first_day is None
            or window.start <= first_day
            or (bookmark is not None and (bookmark - window.start).days >= lookback_days)
        )

    def are_unchanged(self, upto: str, newer: Iterable[UsageRecord]) -> bool:
        """Tell whether the days `before` the bookmark, or those `upto` it, are as they were.

        The rows of all days that are `newer` are needed for it. False as well where it cannot be
        known, or where the days have not been read for long.
        """
        return (
            self._noted is not None
            and self._noted["day"] == self._partition.get(state.BOOKMARK)
            and self._noted.get(upto) == self._fingerprint(newer)
            and (today() - self._read_on).days < self._read_again_after
        )

    def forget(self) -> None:
        """Have them read: from now on the target may have some of them as they are now."""
        self._partition.pop(state.OLDER_DAYS, None)

    def note(self, day: date, rows: Iterable[UsageRecord], *, were_read: bool) -> None:
        """Keep what all days up to this one, the newest, add up to, and without its `rows`."""
        if were_read and not self._is_complete:
            self.forget()
            return
        self._partition[state.OLDER_DAYS] = {
            "day": f"{day}",
            BEFORE: self._fingerprint(rows),
            UPTO: self._fingerprint(()),
            "read_on": f"{today() if were_read else self._read_on}",
        }

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
        told = json.dumps([left, *map(str, self._reasons)])
        return hashlib.blake2b(told.encode(), digest_size=16).hexdigest()
