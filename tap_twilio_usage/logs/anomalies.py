"""What is odd about an account's rows: kept all the same, and said once for each kind."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import date

from tap_twilio_usage.money.enrich import overshoot, total, unit
from tap_twilio_usage.money.hierarchy import normalise, shipped
from tap_twilio_usage.money.parsers import LONGEST_NAME
from tap_twilio_usage.money.usage_record import UsageRecord, is_zero


class Findings:
    """What was found in the rows of one account or billing group, until a stream reports it."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.unknown_fields: set[str] = set()
        self.repeated_rows = 0

    def drain(self) -> tuple[set[str], int]:
        """Give the unknown fields and how many rows came twice, since it was last taken."""
        taken = self.unknown_fields, self.repeated_rows
        self.unknown_fields, self.repeated_rows = set(), 0
        return taken


class Anomalies:
    """What one stream has said in this run."""

    def __init__(self, logger: logging.Logger) -> None:
        """Begin with nothing said."""
        self._logger = logger
        self._said: set[str] = set()

    def warn_once(self, what: str, message: str, *args: object) -> None:
        """Warn, unless the same has been said."""
        if what not in self._said:
            self._said.add(what)
            self._logger.warning(message, *args)

    def warn_of_new_fields(self, fields: Iterable[str]) -> None:
        """Name the fields that the tap does not know."""
        for field in sorted(fields):
            name = repr(field) if len(field) <= LONGEST_NAME else f"of {len(field)} characters"
            self.warn_once(f"field {field}", "Twilio sends a new field, not loaded: %s", name)

    def check_period(self, day: date, rows: Sequence[UsageRecord]) -> None:
        """Say what is odd about a period."""
        totalprice = total(rows)
        if rows and (totalprice is None or totalprice.price is None):
            self.warn_once(
                "no total",
                "%s has no price of totalprice: deduplicated_price is null there",
                day,
            )
        if excess := overshoot(rows):
            self.warn_once(
                "excess",
                "the rows of %s hold %s more than totalprice, which no known rule explains: "
                "it stands as a negative remainder on the totalprice row",
                day,
                excess,
            )
        known = shipped().categories
        for row in rows:
            category = row.category
            is_known = normalise(category) in known
            if (is_known and row.price is not None) or is_zero(row):
                continue
            if not is_known:
                self.warn_once(
                    f"category {category}",
                    "unknown category %r, counted under %r",
                    category,
                    row.parent_category,
                )
            if row.price is None:
                self.warn_once(f"null {category}", "%r has usage but no price on %s", category, day)
        if len(units := {unit(row) for row in rows} - {None}) > 1:
            self.warn_once(
                "units", "%s has more than one currency: %s", day, sorted(map(str, units))
            )
