"""Used categories that some days of an account do not list.

Twilio lists every category for every day. What such a day has of the category counts in one that
contains it, or in the remainder; its sum is right. A category that no earlier day has listed is
new, and one that no later day lists was renamed or withdrawn. Makes at most one request.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from datetime import date

from tap_twilio_usage.logs.wording import some
from tap_twilio_usage.money.hierarchy import normalise
from tap_twilio_usage.money.usage_record import UsageRecord
from tap_twilio_usage.sync.account import Account
from tap_twilio_usage.sync.endpoints import Endpoints
from tap_twilio_usage.sync.plan import Planner
from tap_twilio_usage.sync.state import AccountState
from tap_twilio_usage.twilio.errors import ApiError
from tap_twilio_usage.twilio.periods import (
    DAY,
    EARLIEST,
    LATEST,
    MONTHLY,
    Window,
    merged,
    without_all,
)

NEVER = Window(LATEST, LATEST)  # instead of the days, if no day lists the category


class CategoryGaps:
    """The gaps in the days of one account, which are noted in ascending order.

    Days between them may be left out, because they were read by earlier runs.
    """

    def __init__(self, state: AccountState, used: AbstractSet[str], planner: Planner) -> None:
        """Take the state, before its first day changes, and the used categories, which may grow."""
        self._state = state
        self._used = used
        self._planner = planner
        self._logger = planner.logger
        never = {name for name, since in state.listed_since.items() if since == LATEST}
        self._known = {*(state.used_categories or ())} - never  # that any day has listed
        self._loaded_since = state.first_day or LATEST
        self._loaded_up_to = state.last_rows or EARLIEST
        self._first: date | None = None  # of the days that were noted
        self._last: date | None = None
        self._before = dict(state.unlisted)
        self._open: dict[str, date] = {}  # since when a category is not listed
        self._named: set[str] = set()  # the categories of the gaps that were logged

    def note(
        self, day: date, rows: Iterable[UsageRecord], withdrawn: Iterable[UsageRecord]
    ) -> None:
        """Note which used categories a day lists; the withdrawn ones of its rows are not listed."""
        listed = {row.category for row in rows}.difference(row.category for row in withdrawn)
        if self._last is None or day != self._planner.granularity.following(self._last):
            self._begin_at(day, listed)
        self._last = day
        if listed:  # a day without any record says nothing about its categories
            self._note_new(day, listed)
            self._note_gaps(day, listed)
            if day >= self._loaded_up_to and self._state.unlisted != self._open:
                self._state.unlisted = dict(sorted(self._open.items()))

    def end(self, account: Account, endpoints: Endpoints, *, is_whole: bool) -> None:
        """Log, once, the categories that no day lists, or no longer since a day before today.

        `is_whole` is whether all days of the account's history were loaded.
        """
        state, log = self._state, self._logger
        spent = {each.category for each in account.fetch_all_time() if each.price}
        never = {name for name, since in state.listed_since.items() if since == LATEST} & spent
        listed = {*map(normalise, self._known)}  # also in another spelling
        never = {name for name in never if normalise(name) not in listed}
        never = {name for name in never if NEVER not in state.logged_gaps.get(name, [])}
        if never and not is_whole:
            never &= self._spent_in_months(account, endpoints)
        if never:
            log.warning(
                "%s: Twilio shows spend of %s, which no day lists; what a day has of it counts in "
                "a category that contains it, or in totalprice",
                *(state.name, some([*map(repr, sorted(never))])),
            )
            for category in never:
                self._note_logged(category, NEVER)
        today = self._planner.today
        gone: dict[str, date] = {}
        if self._last and self._last < self._loaded_up_to:
            self._log_open()  # there are days after these, which end_date leaves out
        else:
            gone = {
                category: since
                for category, since in self._open.items()
                if since < today
                and not self._was_logged(category, since)
                # Its rows may come late every day: those of the day that was logged have come.
                and (today - since).days > state.late_by.get(category, 0)
            }
        for since in sorted({*gone.values()}):
            names = sorted(category for category in gone if gone[category] == since)
            log.warning(
                "%s: Twilio no longer lists %s, since %s; what it has there counts in its new "
                "name, in a category that contains it, or in totalprice",
                *(state.name, some([*map(repr, names)]), since),
            )
            for category in names:
                self._note_logged(category, Window(since, since))
                state.late_by[category] = (today - since).days
        for category, since in self._before.items():
            is_over = self._last and self._last >= since and category not in self._open
            if is_over and self._was_logged(category, since):
                log.info("%s: %r is listed again", state.name, category)
        self._forget_logged()

    def _spent_in_months(self, account: Account, endpoints: Endpoints) -> set[str]:
        """Return the categories with spend in Twilio's months that the noted days have in whole."""
        granularity = self._planner.granularity
        if self._first is None or self._last is None or granularity.is_named_period:
            return set()
        end = granularity.following(self._last)
        months = Window(MONTHLY.following(self._first - DAY), MONTHLY.first(end) - DAY)
        if months.days < 1:
            return set()
        try:
            found = endpoints.fetch_usage(account, MONTHLY, months)
        except ApiError as error:
            self._logger.info(
                "%s: whether its days lack categories cannot be checked; a later run tries again: "
                "%s",
                *(self._state.name, error),
            )
            return set()
        return {row.category for rows in found.values() for row in rows if row.price}

    def _begin_at(self, day: date, listed: AbstractSet[str]) -> None:
        """Begin with a day that does not follow the one before."""
        self._log_open()
        self._open = {name: since for name, since in self._before.items() if since < day}
        if self._first is None:
            self._first = day
            if day < self._loaded_since < LATEST:  # start_date is earlier now
                for category in self._known - listed:
                    self._state.listed_since.setdefault(category, self._loaded_since)

    def _log_open(self) -> None:
        """Log the gaps that began in the days that were noted last."""
        for category, since in self._open.items():
            if self._last and since != self._before.get(category):
                self._log_gap(category, Window(since, self._last))

    def _note_new(self, day: date, listed: AbstractSet[str]) -> None:
        since = self._state.listed_since
        if not listed <= self._known:
            is_first_of_all = day == self._first and day <= self._loaded_since
            for category in () if is_first_of_all else sorted(listed - self._known):
                self._lists_since(category, day)
            self._known |= listed
        if not self._used <= self._known:
            for category in self._used - self._known - since.keys():
                since[category] = LATEST
        for category in [each for each in since if day < since[each] and each in listed]:
            self._lists_since(category, day)

    def _note_gaps(self, day: date, listed: AbstractSet[str]) -> None:
        last = self._planner.settings.last_day(self._planner.today)
        whole = self._planner.granularity.period(day)
        if day <= self._loaded_up_to and last < min(whole.end, self._planner.today):
            return  # end_date cuts a period off that may have listed more
        for category in sorted(self._open.keys() & listed):
            self._end_gap(category, self._open.pop(category), day)
        for category in (self._known & self._used) - listed - self._open.keys():
            if day >= self._listed_since(category):
                self._open[category] = day

    def _listed_since(self, category: str) -> date:
        """Return the first day that is known to list the category."""
        return self._state.listed_since.get(category, EARLIEST)

    def _lists_since(self, category: str, day: date) -> None:
        before = self._state.listed_since.get(category)
        self._state.listed_since[category] = day
        if before == LATEST:
            if day < self._loaded_since:  # all later days that were read lack it
                self._before[category] = self._loaded_since
            self._logger.info("%s: %r is listed since %s", self._state.name, category, day)

    def _end_gap(self, category: str, since: date, day: date) -> None:
        """Log a gap, or that it has ended, if an earlier run has logged that it began."""
        gap = Window(since, day - DAY)
        if self._was_logged(category, since):
            del self._before[category]
            self._state.late_by.pop(category, None)  # these days lack it for ever
            self._logger.info("%s: %r is listed again since %s", self._state.name, category, day)
            self._note_logged(category, gap)
        else:
            self._log_gap(category, gap)

    def _log_gap(self, category: str, gap: Window) -> None:
        if without_all([gap], self._state.logged_gaps.get(category, [])):
            (self._logger.info if category in self._named else self._logger.warning)(
                "%s: Twilio does not list category %r for %s, though for other days; what it has "
                "there counts in its new name, in a category that contains it, or in totalprice",
                *(self._state.name, category, gap),
            )
            self._named.add(category)
            self._note_logged(category, gap)

    def _was_logged(self, category: str, since: date) -> bool:
        """Return whether an earlier run has logged that a gap began, which had not ended then."""
        logged = self._state.logged_gaps.get(category, [])
        return self._before.get(category) == since and any(since in window for window in logged)

    def _note_logged(self, category: str, days: Window) -> None:
        logged = self._state.logged_gaps
        logged[category] = merged([*logged.get(category, []), days])

    def _forget_logged(self) -> None:
        """Forget the gaps before the days that any run reads again."""
        state, planner = self._state, self._planner
        again = planner.granularity.first(planner.less_lookback(state.bookmark or EARLIEST))
        first = min(self._first or EARLIEST, again)
        for category, windows in [*state.logged_gaps.items()]:
            since = min(first, state.unlisted.get(category, first))
            state.logged_gaps[category] = [each for each in windows if each.end >= since]
        state.logged_gaps = {name: each for name, each in state.logged_gaps.items() if each}
