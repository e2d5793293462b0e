"""Periods for which Twilio has no record of a billing group: remembered, and asked for again.

Twilio lists the products that a period used. So a period without any record may be one without
usage, or one for which the API has not answered. Such periods are kept in the state, and every run
asks for them until they have a record. They never fail a run. Pure, but for the log.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from tap_twilio_usage.logs.wording import Logger, count
from tap_twilio_usage.sync.state import BillingGroupState
from tap_twilio_usage.twilio.periods import DAY, LATEST, Granularity, Window, merged, without

SHOWN = 3  # gaps that one line of the log names


class BillingGaps:
    """The periods of one billing group without any record, as its state remembers them."""

    def __init__(self, state: BillingGroupState, granularity: Granularity, today: date) -> None:
        """Take the state and today. Periods after today are from a run with a wrong clock."""
        future = Window(granularity.following(today), LATEST)
        state.missing_days = without(state.missing_days, future)
        self._state = state
        self._granularity = granularity
        self._today = today
        self._before = tuple(state.missing_days)
        self._is_first_load = state.bookmark is None
        self._empty: list[Window] = []  # since this run
        self._lost: list[Window] = []  # since this run, and an earlier run found records there

    def to_ask_again(self, before: date) -> list[Window]:
        """Return the missing periods before the days that this run reads in any case."""
        return without(self._state.missing_days, Window(before, LATEST))

    def note(self, period: Window, *, is_listed: bool, was_listed: bool) -> None:
        """Note whether a period has records, and whether it had some when it was last read."""
        state = self._state
        if is_listed or was_listed:
            state.first_rows = min(state.first_rows or period.start, period.start)
        if is_listed:
            state.missing_days = without(state.missing_days, period)
        elif was_listed or self._is_over(period):
            if not any(period.start in window for window in self._before):
                (self._lost if was_listed else self._empty).append(period)
            state.missing_days = merged([*state.missing_days, period])

    def end(self, name: str, days: Window, logger: Logger) -> None:
        """Log the periods that are missing since this run.

        Those before the first record are not missing: the group may not have existed yet.
        """
        for window in merged(self._lost):
            logger.warning(
                "%s: Twilio listed products for %s (%s) before and lists none now; the rows stay "
                "as they were loaded, and every run asks again until it lists some",
                name,
                window,
                count(window.days, "day"),
            )
        state = self._state
        if state.first_rows is None:
            if not self._before and (self._empty or self._is_first_load):
                logger.warning(
                    "%s: Twilio has no record for any day of %s; every run asks again until it "
                    "has; check billing_group_ids and start_date",
                    name,
                    days,
                )
            return
        earlier = Window(date.min, state.first_rows - DAY)
        state.missing_days = without(state.missing_days, earlier)
        found = without(merged(self._empty), earlier)
        found = [window for window in found if not self._continues_a_gap(window)]
        if found:
            more = [f"{len(found) - SHOWN:,} more"] if len(found) > SHOWN else []
            logger.warning(
                "%s: Twilio has no record for %s (%s), though the group had some before; every run "
                "asks again until it has",
                name,
                ", ".join([*map(str, found[:SHOWN]), *more]),
                count(sum(window.days for window in found), "day"),
            )

    def _is_over(self, period: Window) -> bool:
        following = self._granularity.following(period.start)
        return period.end < self._today and following <= self._today

    def _continues_a_gap(self, window: Window) -> bool:
        """Return whether an earlier run has logged the beginning of the same gap."""
        return any(window.start - DAY in gap for gap in self._before)


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
