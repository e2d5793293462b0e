"""Used categories that some days of an account do not list, though days before and after do.

Twilio lists every category for every day. What such a day has of the category counts in one that
contains it, or in the remainder; its sum is right. Which categories the newest day does not list is
kept in the state, because the day that lists them again may be read by a later run. A category that
no earlier day has listed is new, and one that no later day lists was renamed or withdrawn. Pure,
but for the log.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from datetime import date

from tap_twilio_usage.logs.wording import Logger, some
from tap_twilio_usage.money.usage_record import UsageRecord
from tap_twilio_usage.sync.state import AccountState
from tap_twilio_usage.twilio.periods import DAY, EARLIEST, Window
from tap_twilio_usage.twilio.usage_records import Reported


class CategoryGaps:
    """The gaps in the days of one account, which are noted in ascending order."""

    def __init__(self, state: AccountState, used: AbstractSet[str], logger: Logger) -> None:
        """Take the state, and the categories that the account has ever used, which may grow."""
        self._state = state
        self._used = used
        self._logger = logger
        self._logged: set[str] = set()

    def note(
        self, day: date, rows: Iterable[UsageRecord], withdrawn: Iterable[UsageRecord]
    ) -> None:
        """Note which used categories a day lists; of the rows, the withdrawn ones are not listed.

        Do not note a day without any record.
        """
        listed = {row.category for row in rows}.difference(row.category for row in withdrawn)
        state = self._state
        since_when = day
        if state.unlisted is None:  # it is not known what the days before list
            state.unlisted, since_when = {}, EARLIEST
        for category in sorted(listed & state.unlisted.keys()):
            since = state.unlisted[category]
            if day >= since:  # not a day that is read again
                del state.unlisted[category]
                if since < day:
                    self._end_gap(category, since, day)
        gone = self._used - listed - state.unlisted.keys()
        state.unlisted |= dict.fromkeys(sorted(gone), since_when)

    def end(self, history: Iterable[Reported]) -> None:
        """Log which categories no day of the whole history lists, though it has spend of them."""
        spent = [each.category for each in history if each.amounts and each.amounts[-1]]
        unlisted = self._state.unlisted or {}
        if found := [category for category in spent if unlisted.get(category) == EARLIEST]:
            self._logger.warning(
                "%s: Twilio's AllTime shows spend of %s, which no day lists; it counts in a "
                "category that contains it, or in totalprice",
                self._state.name,
                some(found),
            )

    def _end_gap(self, category: str, since: date, day: date) -> None:
        name = self._state.name
        if since == EARLIEST:
            self._logger.info("%s: %r is listed since %s", name, category, day)
        elif since > self._state.logged_gaps.get(category, EARLIEST):
            self._state.logged_gaps[category] = since
            logger = self._logger
            (logger.info if category in self._logged else logger.warning)(
                "%s: Twilio does not list category %r for %s, though for days before and after; "
                "what it has there counts in a category that contains it, or in totalprice",
                name,
                category,
                Window(since, day - DAY),
            )
            self._logged.add(category)
