"""Tracks which FOCUS rows the target may have, to overwrite those that have no cost any more. Pure.

There is a FOCUS row for each record with a cost. If Twilio restates a day and a category no longer
has a cost, its row must be set to zero; otherwise the day would not sum to its total. For each day
that is read again, the state has a checksum of the categories that had a cost. If it is the same,
there is nothing to overwrite. For all other days that an earlier run may have loaded, a row is
emitted for every record, including zero rows.
"""

from __future__ import annotations

from datetime import date
from zlib import crc32

from tap_twilio_usage.money.usage_record import UsageRecord
from tap_twilio_usage.sync.state import AccountState, BilledDays


class SentRows:
    """The days of one account for which the target has FOCUS rows, according to the state."""

    def __init__(self, state: AccountState, unknown_up_to: date | None, lookback_days: int) -> None:
        """Take the state. Up to `unknown_up_to` it is unknown which rows an earlier run sent."""
        self._unknown_up_to = unknown_up_to
        self._lookback_days = lookback_days
        self._loaded = None if state.billed is None else state.last_loaded_day()
        self._billed = state.billed = state.billed or BilledDays()

    def select(self, rows: list[UsageRecord]) -> list[UsageRecord]:
        """Return the rows of a day that have a cost, or all if some may have to be set to zero.

        Record the day in the state, which keeps only the days that will be read again.
        """
        day, billed = rows[0].start_date, [row for row in rows if row.deduplicated_price]
        checksum, days = _checksum(billed), self._billed.days
        may_differ = self._may_differ(day, checksum)
        days[f"{day}"] = checksum
        for old in sorted(days)[: -self._lookback_days - 1]:
            del days[old]
        return rows if may_differ else billed

    def _may_differ(self, day: date, checksum: str) -> bool:
        if self._unknown_up_to and day <= self._unknown_up_to:
            return True
        if known := self._billed.days.get(f"{day}"):
            return known != checksum
        return self._loaded is not None and day <= self._loaded


def _checksum(billed: list[UsageRecord]) -> str:
    return f"{crc32(chr(10).join(sorted(row.category for row in billed)).encode()):08x}"
