"""Which rows of an account are worth emitting. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from tap_twilio_usage.money.hierarchy import TOTAL, normalise
from tap_twilio_usage.money.usage_record import UsageRecord, is_zero, zero
from tap_twilio_usage.sync.state import AccountState
from tap_twilio_usage.twilio.usage_records import Reported


class CategoryFilter:
    """Selects the rows that are not zero, and every row of a category that was ever used."""

    def __init__(
        self, state: AccountState, all_time: Iterable[Reported], *, skip_unused: bool
    ) -> None:
        """Begin with what the account has ever used, and what earlier runs have emitted."""
        self._state = state
        self._skip_unused = skip_unused
        ever = {reported.category for reported in all_time if reported.amounts}
        self._emitted = frozenset(state.used_categories or ())  # by earlier runs
        self._used = ever | self._emitted

    @property
    def is_empty(self) -> bool:
        """Whether no row can be worth emitting."""
        return self._skip_unused and not self._used

    def add_withdrawn(self, rows: list[UsageRecord]) -> list[UsageRecord]:
        """Return the rows of a period, with zeros for each category that is not listed any more.

        Such a category was renamed, is spelled in another way, or was withdrawn. The target may
        have a row of it for this period, whose money would count beside that of its new name.
        """
        gone = self._emitted.difference(row.category for row in rows) if rows else ()
        withdrawn = [category for category in sorted(gone) if normalise(category) != TOTAL]
        if not withdrawn:
            return rows
        start, end, sid = rows[0].start_date, rows[0].end_date, rows[0].account_sid
        units = (row.price_unit for row in rows if normalise(row.category) == TOTAL)
        unit = next(units, rows[0].price_unit)
        return [*rows, *(zero(sid, category, start, end, unit) for category in withdrawn)]

    def drop_unused(self, rows: list[UsageRecord]) -> list[UsageRecord]:
        """Return the rows without those of zeros that `select` is sure to drop.

        Most rows are: de-duplication need not look at them.
        """
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

    def select(self, rows: list[UsageRecord]) -> list[UsageRecord]:
        """Return the rows of a period to emit. From now on their categories count as used."""
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
        """Put the used categories into the account's state. Return whether any was new.

        To be written before the first row of a category goes out: should the run end there and
        the row be restated to zero, the next run still overwrites it.
        """
        used = sorted(self._used)
        if used == (self._state.used_categories or []):
            return False
        self._state.used_categories = used
        return True
