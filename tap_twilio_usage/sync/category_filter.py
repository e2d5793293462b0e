"""Which rows of an account are worth emitting."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from tap_twilio_usage.money.hierarchy import TOTAL, normalise
from tap_twilio_usage.money.usage_record import UsageRecord, is_zero
from tap_twilio_usage.sync import state
from tap_twilio_usage.twilio.usage_records import Account


class UsedCategories:
    """Which rows to emit: all that are not zero, and every row of a used category."""

    def __init__(
        self, account: Account, partition: MutableMapping[str, Any], *, skip_unused: bool
    ) -> None:
        """Begin with what the account has ever used, and what earlier runs have emitted."""
        self._partition = partition
        self._skip_unused = skip_unused
        ever = {reported.category for reported in account.fetch_all_time() if reported.amounts}
        self._used = ever | set(partition.get(state.USED_CATEGORIES, ()))

    @property
    def is_empty(self) -> bool:
        """Tell whether no row can be worth emitting."""
        return self._skip_unused and not self._used

    def leave_out(self, rows: list[UsageRecord]) -> list[UsageRecord]:
        """Give the rows without those of zeros that are sure not to be emitted."""
        if not self._skip_unused:
            return rows
        used = self._used
        return [
            row
            for row in rows
            if row.category in used
            or (row.price or row.usage or row.count)
            or normalise(row.category) == TOTAL  # it may hold a remainder all the same
        ]

    def take(self, rows: list[UsageRecord]) -> list[UsageRecord]:
        """Give the period's rows to emit; from then on their categories count as used."""
        used = self._used
        if self._skip_unused:
            rows = [
                row
                for row in rows
                if row.category in used or not is_zero(row) or row.deduplicated_price
            ]
        used.update([row.category for row in rows])
        return rows

    def record(self) -> bool:
        """Put them into the account's state; tell whether there was anything new."""
        used = sorted(self._used)
        if used == self._partition.get(state.USED_CATEGORIES, []):
            return False
        self._partition[state.USED_CATEGORIES] = used
        return True
