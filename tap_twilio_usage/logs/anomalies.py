"""What is unusual about an account's rows: each kind is logged once, and the rows are kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from tap_twilio_usage.logs.wording import Logger, count
from tap_twilio_usage.money.enrich import overshoot, total, unit
from tap_twilio_usage.money.hierarchy import normalise, shipped
from tap_twilio_usage.money.parsers import MAX_NAME_LENGTH
from tap_twilio_usage.money.usage_record import UsageRecord, is_zero


class Findings:
    """What was found in the rows of one account or billing group, until a stream reports it."""

    def __init__(self) -> None:
        """Start with nothing found."""
        self.unknown_fields: set[str] = set()
        self.repeated_rows = 0

    def drain(self) -> tuple[set[str], int]:
        """Return the unknown fields and the number of repeated rows, and start again."""
        taken = self.unknown_fields, self.repeated_rows
        self.unknown_fields, self.repeated_rows = set(), 0
        return taken


class Anomalies:
    """The warnings of one stream in this run."""

    def __init__(self, logger: Logger) -> None:
        """Start with nothing logged."""
        self._logger = logger
        self._logged: set[str] = set()

    def warn_once(self, what: str, message: str, *args: object) -> None:
        """Log a warning, unless there was one of the same `what`."""
        if what not in self._logged:
            self._logged.add(what)
            self._logger.warning(message, *args)

    def warn_of_new_fields(self, fields: Iterable[str]) -> None:
        """Warn of fields that the tap does not know."""
        for field in sorted(fields):
            name = repr(field) if len(field) <= MAX_NAME_LENGTH else f"of {len(field):,} characters"
            self.warn_once(
                f"field {field}", "field %s is new to this version; it is not loaded", name
            )

    def report(self, findings: Findings) -> None:
        """Log what was found in all rows of one account, billing group or list."""
        unknown_fields, repeated_rows = findings.drain()
        self.warn_of_new_fields(unknown_fields)
        if repeated_rows:
            self._logger.info("%s skipped", count(repeated_rows, "duplicate row"))

    def check_period(self, day: date, rows: Sequence[UsageRecord]) -> None:
        """Warn of what is unusual in the rows of the period that begins on the day."""
        totalprice = total(rows)
        if rows and (totalprice is None or totalprice.price is None):
            self.warn_once(
                "no total",
                "%s: totalprice is missing or has no price; deduplicated_price is null",
                day,
            )
        if excess := overshoot(rows):
            self.warn_once(
                "excess",
                "%s: the categories add up to %s more than totalprice, which no known rule "
                "explains; totalprice has it as a negative remainder",
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
                    "category %r is new to this version; counted under %r",
                    category,
                    row.parent_category,
                )
            if row.price is None:
                self.warn_once(
                    f"null {category}", "%s: category %r has usage but no price", day, category
                )
        if len(units := {unit(row) for row in rows} - {None}) > 1:
            self.warn_once(
                "units",
                "%s: rows have more than one currency: %s",
                day,
                ", ".join(sorted(map(str, units))),
            )
