"""Used categories that some days of an account do not list, though days before and after do.

Twilio lists every category for every day. What such a day has of the category counts in one that
contains it, or in the remainder; its sum is right. A category that no day lists before or after is
no gap: it is new, renamed or withdrawn. Pure, but for the log.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import date

from tap_twilio_usage.logs.wording import Logger, some
from tap_twilio_usage.money.usage_record import UsageRecord


class CategoryGaps:
    """The gaps in the days of one account, which are noted in ascending order."""

    def __init__(self, is_used: Callable[[str], bool]) -> None:
        """Take a function that returns whether the account has ever used a category."""
        self._is_used = is_used
        self._listed: set[str] = set()  # by the day before
        self._since: dict[str, date] = {}  # the day since which a category is not listed
        self._found: list[str] = []

    def note(self, day: date, rows: Collection[UsageRecord]) -> None:
        """Note which categories the records of a day are of; a day without any is no gap."""
        listed = {row.category for row in rows}
        if not listed or listed == self._listed:
            return
        for category in sorted(listed & self._since.keys()):
            self._found.append(f"{category} since {self._since.pop(category)}")
        gone = filter(self._is_used, self._listed - listed)
        self._since.update(dict.fromkeys(gone, day))
        self._listed = listed

    def log(self, name: str, logger: Logger) -> None:
        """Log the gaps."""
        if self._found:
            logger.warning(
                "%s: some days do not list a category that days before and after list: %s; what "
                "they have of it counts in a category that contains it, or in totalprice",
                name,
                some(self._found),
            )
