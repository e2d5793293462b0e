"""Which FOCUS rows the target may have of a day, so that one that is gone is overwritten. Pure.

FOCUS has a row for each record that bears cost. If Twilio restates a day and a category bears none
any more, its row must become zero, or the day would no longer sum to its total. So the state has,
of the days that are read again, a checksum of the categories that bore cost: if it is the same,
there is nothing to overwrite. Of all else that an earlier run may have loaded, every record has its
row, zeros included.
"""

from __future__ import annotations

from datetime import date
from zlib import crc32

from tap_twilio_usage.money.usage_record import UsageRecord
from tap_twilio_usage.sync.state import AccountState, BilledDays


class SentRows:
    """The days of one account that have FOCUS rows, as its state remembers them."""

    def __init__(self, state: AccountState, unknown_up_to: date | None, lookback_days: int) -> None:
        """Take them. Up to `unknown_up_to` nobody knows which rows an earlier run has sent."""
        self._state = state
        self._unknown_up_to = unknown_up_to
        self._lookback_days = lookback_days
        self._loaded = None if state.billed is None else state.last_loaded_day()
        self._billed = state.billed = state.billed or BilledDays()

    @property
    def lacks_days(self) -> bool:
        """Whether runs without FOCUS have loaded days since."""
        bookmark = self._state.bookmark
        if self._unknown_up_to or bookmark is None:
            return False
        return self._billed.up_to is None or bookmark > self._billed.up_to

    def select(self, rows: list[UsageRecord]) -> list[UsageRecord]:
        """Return the day's rows that bear cost, or all of them if some may have to become zero.

        Remember the day, and no more days than will be read again.
        """
        day, billed = rows[0].start_date, [row for row in rows if row.deduplicated_price]
        checksum, days = _checksum(billed), self._billed.days
        may_differ = self._may_differ(day, checksum)
        days[f"{day}"] = checksum
        for old in sorted(days)[: -self._lookback_days - 1]:
            del days[old]
        return rows if may_differ else billed

    def end(self) -> None:
        """Note that all days up to the bookmark have their rows."""
        self._billed.up_to = self._state.bookmark

    def _may_differ(self, day: date, checksum: str) -> bool:
        if self._unknown_up_to and day <= self._unknown_up_to:
            return True
        if known := self._billed.days.get(f"{day}"):
            return known != checksum
        return self._loaded is not None and day <= self._loaded


def _checksum(billed: list[UsageRecord]) -> str:
    return f"{crc32(chr(10).join(sorted(row.category for row in billed)).encode()):08x}"
