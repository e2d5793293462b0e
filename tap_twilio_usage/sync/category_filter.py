"""Selects the rows of an account to emit, by category. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from datetime import date

from tap_twilio_usage.money.hierarchy import TOTAL, normalise
from tap_twilio_usage.money.usage_record import UsageRecord, is_zero, zero
from tap_twilio_usage.sync.state import AccountState
from tap_twilio_usage.twilio.usage_records import Reported


class CategoryFilter:
    """Selects the rows that are not zero, and all rows of categories that were ever used."""

    def __init__(
        self,
        state: AccountState,
        all_time: Iterable[Reported],
        *,
        emitted: Iterable[str],
        skip_unused: bool,
        loaded: date | None,
    ) -> None:
        """Take the account's state and history, and what the target may have of it.

        That is rows of the `emitted` categories up to the day `loaded`; None if it can have none.
        """
        self._state = state
        self._skip_unused = skip_unused
        used = {reported.category for reported in all_time if reported.amounts}
        self._emitted = frozenset(emitted)
        self._loaded = loaded
        self._used = used.union(state.used_categories or ())
        self._kept = self._used | self._emitted  # whose zero rows are emitted

    @property
    def is_empty(self) -> bool:
        """Whether no row is to be emitted."""
        return self._skip_unused and not self._used

    @property
    def used(self) -> AbstractSet[str]:
        """The categories that the account has ever used; `select` may add more."""
        return self._used

    def add_withdrawn(self, rows: list[UsageRecord], day: date | None) -> list[UsageRecord]:
        """Return the rows of a period, with zeros for each category that is not listed any more.

        Such a category was renamed, is spelled in another way, or was withdrawn. The target may
        have a row of it for this period, whose money would count beside that of its new name.
        `day` begins the period; None if an earlier run may have loaded it in any case.
        """
        if not rows or not self._emitted:
            return rows
        if day is not None and (self._loaded is None or day > self._loaded):
            return rows
        gone = self._emitted.difference(row.category for row in rows)
        withdrawn = [category for category in sorted(gone) if normalise(category) != TOTAL]
        if not withdrawn:
            return rows
        start, end, sid = rows[0].start_date, rows[0].end_date, rows[0].account_sid
        units = (row.price_unit for row in rows if normalise(row.category) == TOTAL)
        unit = next(units, rows[0].price_unit)
        return [*rows, *(zero(sid, category, start, end, unit) for category in withdrawn)]

    def drop_unused(self, rows: list[UsageRecord]) -> list[UsageRecord]:
        """Return the rows without the zero rows that `select` would drop in any case.

        These are most rows. To drop them early saves time in de-duplication.
        """
        if not self._skip_unused:
            return rows
        kept = self._kept
        return [
            row
            for row in rows
            if row.category in kept
            or (row.price or row.usage or row.count)
            or normalise(row.category) == TOTAL  # a total of zero may have a remainder
        ]

    def select(self, rows: list[UsageRecord]) -> list[UsageRecord]:
        """Return the rows of a period to emit, and add their categories to the used ones."""
        kept = self._kept
        if self._skip_unused:
            rows = [
                row
                for row in rows
                if row.category in kept or not is_zero(row) or row.deduplicated_price
            ]
        self._used.update(
            [row.category for row in rows if row.category not in kept or not is_zero(row)]
        )
        kept.update(self._used)
        return rows

    def record(self) -> bool:
        """Store the used categories in the state. Return whether that changed it.

        The state must be written before the first row of a new category is emitted. If the run ends
        after that row and Twilio restates it to zero, the next run then overwrites it.
        """
        used = sorted(self._used)
        if used == (self._state.used_categories or []):
            return False
        self._state.used_categories = used
        return True
