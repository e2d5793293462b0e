"""Used categories that some days of an account do not list.

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

from tap_twilio_usage.logs.wording import some
from tap_twilio_usage.money.usage_record import UsageRecord
from tap_twilio_usage.sync.plan import Planner
from tap_twilio_usage.sync.state import AccountState
from tap_twilio_usage.twilio.periods import DAY, EARLIEST, Window
from tap_twilio_usage.twilio.usage_records import Reported


class CategoryGaps:
    """The gaps in the days of one account, which are noted in ascending order."""

    def __init__(self, state: AccountState, used: AbstractSet[str], planner: Planner) -> None:
        """Take the state, and the categories that the account has ever used, which may grow."""
        self._state = state
        self._used = used
        self._planner = planner
        self._logger = planner.logger
        self._open = dict(state.unlisted or {})
        self._is_first_day = True
        self._logged: set[str] = set()

    def note(
        self, day: date, rows: Iterable[UsageRecord], withdrawn: Iterable[UsageRecord]
    ) -> None:
        """Note which used categories a day lists; of the rows, the withdrawn ones are not listed.

        Do not note a day without any record.
        """
        listed = {row.category for row in rows}.difference(row.category for row in withdrawn)
        state = self._state
        if state.unlisted is None:
            state.unlisted = {}
        # What the days before the first one list is not known.
        since_when = EARLIEST if self._is_first_day else day
        self._is_first_day = False
        for category in sorted(listed & state.unlisted.keys()):
            since = state.unlisted[category]
            if day >= since:  # not a day that is read again
                del state.unlisted[category]
                if since < day:
                    self._end_gap(category, since, day)
        gone = self._used - listed - state.unlisted.keys()
        state.unlisted |= dict.fromkeys(sorted(gone), since_when)

    def end(self, history: Iterable[Reported], *, is_whole: bool) -> None:
        """Log, once, the categories that no day lists, or no longer since a day that is over.

        `history` is that of AllTime, and `is_whole` whether all of its days were loaded.
        """
        state, period_of = self._state, self._planner.granularity.period
        spent = {each.category for each in history if each.amounts and each.amounts[-1]}
        new = {
            category: since
            for category, since in (state.unlisted or {}).items()
            if category not in state.logged_gaps or since > state.logged_gaps[category]
        }
        if never := [each for each, since in new.items() if since == EARLIEST and each in spent]:
            (self._logger.warning if is_whole else self._logger.info)(
                "%s: Twilio's AllTime shows spend of %s, which no day lists; what a day has of it "
                "counts in a category that contains it, or in totalprice",
                state.name,
                some(never),
            )
        gone = {
            category: since
            for category, since in new.items()
            if since != EARLIEST and self._planner.is_over(period_of(since))
        }
        for since in sorted({*gone.values()}):
            self._logger.warning(
                "%s: Twilio no longer lists %s, since %s; what it has there counts in its new "
                "name, in a category that contains it, or in totalprice",
                state.name,
                some([each for each in gone if gone[each] == since]),
                since,
            )
        state.logged_gaps |= dict.fromkeys(never, EARLIEST) | gone

    def _end_gap(self, category: str, since: date, day: date) -> None:
        state, log, last = self._state, self._logger, day - DAY
        logged = state.logged_gaps.get(category, EARLIEST)
        state.logged_gaps[category] = max(last, logged)
        if since == EARLIEST:
            if last > logged:
                log.info("%s: %r is listed since %s", state.name, category, day)
        elif since > logged:
            (log.info if category in self._logged else log.warning)(
                "%s: Twilio does not list category %r for %s, though for days before and after; "
                "what it has there counts in a category that contains it, or in totalprice",
                state.name,
                category,
                Window(since, last),
            )
            self._logged.add(category)
        elif self._open.get(category) == since:
            log.info("%s: %r is listed again since %s", state.name, category, day)
