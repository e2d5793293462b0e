"""Periods for which Twilio has no record of a billing group.

Twilio lists the products that a period used, so a period without any record is normal. It is not
if its products were listed before, or if the group has no record at all: such periods are kept in
the state, and every run asks for them until they have a record. They never fail a run. Pure, but
for the log.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from tap_twilio_usage.logs.wording import Logger, count
from tap_twilio_usage.sync.state import BillingGroupState
from tap_twilio_usage.twilio.periods import (
    DAY,
    EARLIEST,
    LATEST,
    Granularity,
    Window,
    merged,
    without,
    without_all,
)

SHOWN = 3  # gaps that one line of the log names


class BillingGaps:
    """The periods of one billing group without any record, and those of them that are missing."""

    def __init__(self, state: BillingGroupState, granularity: Granularity, today: date) -> None:
        """Take the state and today. Periods after today are from a run with a wrong clock."""
        self._state = state
        self._granularity = granularity
        self._today = today
        self._not_read_before = Window(state.bookmark or EARLIEST, LATEST)
        self._empty: list[Window] = []  # and read for the first time
        self._lost: list[Window] = []  # an earlier run found records there
        self._forget(Window(granularity.following(today), LATEST))

    def to_ask_again(self, days: Window, since: date) -> list[Window]:
        """Return the missing periods from `since` on, before the days this run reads in any case.

        If there are no such days, these are the missing periods before the end of `days`.
        """
        end = self._granularity.first(days.end + DAY)
        others = [Window(EARLIEST, since - DAY), Window(min(days.start, end), LATEST)]
        return without_all(self._state.missing_days, others)

    def note(self, period: Window, *, is_listed: bool, was_listed: bool) -> None:
        """Note whether a period has records, and whether it had some when it was last read.

        `end_date` may have cut it off.
        """
        state = self._state
        if self._is_over(period):
            period = self._granularity.period(period.start)
        if is_listed:
            if state.first_rows is None:  # before, the group may not have existed
                self._forget(Window(EARLIEST, period.start))
            state.first_rows = min(state.first_rows or period.start, period.start)
            self._forget(period)
        elif was_listed or state.first_rows is None:
            (self._lost if was_listed else self._empty).append(period)
            state.missing_days = merged([*state.missing_days, period])
        else:
            if self._is_news(period):
                self._empty.append(period)
            self._forget(period)

    def end(self, name: str, days: Window, logger: Logger) -> None:
        """Log what is missing and was not logged by an earlier run, and what was found empty."""
        state = self._state
        if state.first_rows is None:
            if self._empty and not state.logged_days:
                logger.warning(
                    "%s: Twilio has no record for any day of %s; every run asks again until it "
                    "has; check billing_group_ids and start_date",
                    name,
                    days,
                )
            state.logged_days = merged([*state.logged_days, *self._empty])
            return
        lost = without_all(merged(self._lost), state.logged_days)
        for window in lost:
            logger.warning(
                "%s: Twilio listed products for %s (%s) before and lists none now; the rows stay "
                "as they were loaded, and every run asks again until it lists some",
                name,
                window,
                count(window.days, "day"),
            )
        state.logged_days = merged([*state.logged_days, *lost])
        if empty := merged(self._empty):
            more = [f"{len(empty) - SHOWN:,} more"] if len(empty) > SHOWN else []
            logger.info(
                "%s: no record for %s (%s), which is normal for days without usage",
                name,
                ", ".join([*map(str, empty[:SHOWN]), *more]),
                count(sum(window.days for window in empty), "day"),
            )

    def _is_news(self, period: Window) -> bool:
        """Return whether no earlier run has read the period after it was over."""
        if any(period.start in window for window in self._state.missing_days):
            return True
        return self._is_over(period) and period.start in self._not_read_before

    def _is_over(self, period: Window) -> bool:
        return self._granularity.following(period.start) <= self._today

    def _forget(self, days: Window) -> None:
        state = self._state
        state.missing_days = without(state.missing_days, days)
        state.logged_days = without(state.logged_days, days)


def covering(missing: list[Window], periods: int, granularity: Granularity) -> Iterator[Window]:
    """Yield windows of up to `periods` periods that contain all missing ones, oldest first.

    So that one request reads all gaps that are close to each other, such as weekends.
    """
    if not missing:
        return
    for window in Window(missing[0].start, missing[-1].end).split(periods, granularity):
        gaps = [gap for gap in missing if gap.start <= window.end and gap.end >= window.start]
        if gaps:
            yield Window(max(window.start, gaps[0].start), min(window.end, gaps[-1].end))
