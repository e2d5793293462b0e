"""Which rows of FOCUS the target may have of a day, so that one that is gone is overwritten. Pure.

FOCUS has a row for each record that bears cost. Where Twilio restates a day and a category bears
none any more, its row must become zero, or the day would no longer sum to its total. So the state
has, of the days that are read again, a checksum of the categories that bore cost: where that is
what it was, there is nothing to overwrite. Of all else that an earlier run may have loaded, every
record has its row, zeros included.
"""

from __future__ import annotations

from zlib import crc32

from tap_twilio_usage.money.usage_record import UsageRecord
from tap_twilio_usage.sync import state
from tap_twilio_usage.sync.state import Partition


class SentRows:
    """The days of one account that have rows of FOCUS, as its state remembers them."""

    def __init__(self, partition: Partition, cut_off: str, lookback_days: int) -> None:
        """Take them; up to the day `cut_off` nobody knows which rows an earlier run has sent."""
        self._partition = partition
        self._cut_off = cut_off
        self._lookback_days = lookback_days
        self._loaded = state.may_have_loaded(partition) if state.BILLED in partition else ""
        self._noted = partition.setdefault(state.BILLED, {})
        self._days: dict[str, str] = self._noted.setdefault("days", {})

    @property
    def lacks_days(self) -> bool:
        """Tell whether runs without FOCUS have loaded days since."""
        bookmark: str = self._partition.get(state.BOOKMARK, "")
        return not self._cut_off and bookmark > self._noted.get("up_to", "")

    def choose(self, rows: list[UsageRecord]) -> list[UsageRecord]:
        """Give the day's rows that bear cost, or all of them where some may have to become zero.

        Remember the day, and no more days than will be read again.
        """
        day, billed = f"{rows[0].start_date}", [row for row in rows if row.deduplicated_price]
        checksum = _checksum(billed)
        may_differ = self._may_differ(day, checksum)
        self._days[day] = checksum
        for old in sorted(self._days)[: -self._lookback_days - 1]:
            del self._days[old]
        return rows if may_differ else billed

    def end(self) -> None:
        """Note that all days up to the bookmark have their rows."""
        self._noted["up_to"] = self._partition.get(state.BOOKMARK, "")

    def _may_differ(self, day: str, checksum: str) -> bool:
        if day <= self._cut_off:
            return True
        if day in self._days:
            return self._days[day] != checksum
        return day <= self._loaded


def _checksum(billed: list[UsageRecord]) -> str:
    return f"{crc32(chr(10).join(sorted(row.category for row in billed)).encode()):08x}"
