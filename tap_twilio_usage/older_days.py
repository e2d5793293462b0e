"""Whether days before the bookmark can have changed: what their usage adds up to. Pure.

An account's whole history (Twilio's AllTime), less its newest days, is what all older days add up
to. Where that is what it was in the last run, none of them was restated, but for restatements that
cancel each other out in count, usage and price of each category: for these, older days are read
again after a week in any case. A company with hundreds of accounts saves most of its requests.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, MutableMapping
from datetime import date, timedelta
from decimal import Decimal, localcontext
from typing import Any

from tap_twilio_usage import state
from tap_twilio_usage.account import Reported
from tap_twilio_usage.dedup import EXACT
from tap_twilio_usage.records import AMOUNTS, Record
from tap_twilio_usage.windows import today

READ_AGAIN_AFTER = timedelta(days=7)


class OlderDays:
    """The days of one account before one of them, as its state remembers them."""

    def __init__(
        self, partition: MutableMapping[str, Any], all_time: Iterable[Reported], *reasons: object
    ) -> None:
        """Take the account's state and history; other `reasons` to read again are what differs."""
        self._partition = partition
        self._all_time = all_time
        self._reasons = reasons

    def are_unchanged(self, day: date, newest: Iterable[Record]) -> bool:
        """Tell whether the days before this one, where the `newest` rows begin, are as they were.

        False as well where it cannot be known, or where they have not been read for a week.
        """
        noted = self._partition.get(state.OLDER_DAYS, {})
        same = (noted.get("before"), noted.get("fingerprint")) == (
            f"{day}",
            self._fingerprint(newest),
        )
        return same and today() < date.fromisoformat(noted["read_on"]) + READ_AGAIN_AFTER

    def note(self, day: date, newest: Iterable[Record], *, read: bool) -> None:
        """Keep in the state what the days before this one add up to, and whether they were read."""
        noted = self._partition.get(state.OLDER_DAYS, {})
        self._partition[state.OLDER_DAYS] = {
            "before": f"{day}",
            "fingerprint": self._fingerprint(newest),
            "read_on": f"{today()}" if read else noted["read_on"],
        }

    def _fingerprint(self, newest: Iterable[Record]) -> str:
        sums: defaultdict[str, list[Decimal]] = defaultdict(lambda: [Decimal(0)] * len(AMOUNTS))
        with localcontext(EXACT):
            for reported in self._all_time:
                if reported.amounts:
                    sums[reported.category] = list(reported.amounts)
            for row in newest:
                for position, field in enumerate(AMOUNTS):
                    sums[row["category"]][position] -= row[field] or 0
            left = sorted(
                (category, [f"{amount.normalize():f}" for amount in amounts])
                for category, amounts in sums.items()
                if any(amounts)
            )
        told = json.dumps([left, *map(str, self._reasons)])
        return hashlib.blake2b(told.encode(), digest_size=16).hexdigest()
