"""Which rows of FOCUS the target has of an account, so that one that is gone is overwritten. Pure.

FOCUS has a row for each category that bears cost on a day. Where Twilio restates a day and a
category bears none any more, its row must become zero, or the day would no longer sum to its total.
The state has the categories that ever bore cost, and of the days that are read again a checksum of
those that did: where that is what it was, there is nothing to overwrite.
"""

from __future__ import annotations

from zlib import crc32

from tap_twilio_usage import state
from tap_twilio_usage.records import UsageRecord
from tap_twilio_usage.state import Partition


class Billed:
    """The rows of FOCUS of one account, as its state remembers them."""

    def __init__(self, partition: Partition, lookback_days: int) -> None:
        """Begin with what earlier runs have emitted."""
        self._before = frozenset(state.billed_categories(partition))
        self._upto = state.may_hold_up_to(partition)
        self._noted = partition.setdefault(state.BILLED, {})
        self._noted.setdefault(state.BILLED_CATEGORIES, [])
        self._days = self._noted.setdefault(state.BILLED_DAYS, {})
        self._lookback_days = lookback_days

    def choose(self, rows: list[UsageRecord]) -> list[UsageRecord]:
        """Give the day's rows that bear cost, and those that may have done so in the target."""
        if not self._may_differ(rows):
            return [row for row in rows if row.deduplicated_price]
        return [
            row
            for row in rows
            if row.deduplicated_price
            or (row.deduplicated_price is not None and row.category in self._before)
        ]

    def begin(self, rows: list[UsageRecord]) -> bool:
        """Note, before they go out, the categories of these; tell whether any of them is new."""
        known = self._noted[state.BILLED_CATEGORIES]
        categories = sorted({*known, *(row.category for row in rows)})
        self._noted[state.BILLED_CATEGORIES] = categories
        return len(categories) > len(known)

    def end(self, rows: list[UsageRecord]) -> None:
        """Note that the rows of the day are out; keep the days that will be read again."""
        self._days[_day(rows)] = _checksum(rows)
        for day in sorted(self._days)[: -self._lookback_days - 1]:
            del self._days[day]

    def _may_differ(self, rows: list[UsageRecord]) -> bool:
        day = _day(rows)
        if day in self._days:
            return bool(self._days[day] != _checksum(rows))
        return day <= self._upto


def _day(rows: list[UsageRecord]) -> str:
    return f"{rows[0].start_date}"


def _checksum(rows: list[UsageRecord]) -> str:
    categories = sorted(row.category for row in rows if row.deduplicated_price)
    return f"{crc32(chr(10).join(categories).encode()):08x}"
