"""Compares Twilio's AllTime of an account with the sum of its days. Pure, but for the log.

A day whose record is incomplete, or that answers zeros, looks like any other: only this sum shows
that spend is missing. The sum of the days before those that the next run reads is kept in the
state. AllTime may be ahead of the days for a while, so what it has more counts if it stays so.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from decimal import Decimal, localcontext

from tap_twilio_usage.money.amounts import EXACT, ZERO
from tap_twilio_usage.money.dedup import ROUNDING_OF_A_ROW
from tap_twilio_usage.money.hierarchy import TOTAL, normalise
from tap_twilio_usage.money.usage_record import UsageRecord
from tap_twilio_usage.sync.missing_days import NEW
from tap_twilio_usage.sync.plan import Planner
from tap_twilio_usage.sync.restatements import MAX_AGE
from tap_twilio_usage.sync.run import Account
from tap_twilio_usage.sync.state import AccountState, History
from tap_twilio_usage.twilio.errors import ApiError
from tap_twilio_usage.twilio.periods import DAY, MONTHLY, Window
from tap_twilio_usage.twilio.usage_records import Reported


class WholeLife:
    """The sum of the days of one account, which are noted in ascending order."""

    def __init__(
        self,
        state: AccountState,
        planner: Planner,
        days: Window,
        *,
        created: date | None = None,
        earlier: Window | None = None,
    ) -> None:
        """Take the state, the newest days to read, and those that an earlier start_date adds.

        `created` is when the account was created, if this is a first load.
        """
        self._state = state
        self._planner = planner
        self._starts = days.start
        self._bookmark = state.bookmark or days.start
        self._newest: dict[date, Decimal] = {}
        self._is_counting = days.days > 0 and planner.granularity.first(days.end) >= self._bookmark
        if self._is_counting:
            self._begin(days.start, created, earlier)
        self._sums = {**state.sums}
        self._up_to_now = self._sums.get(days.start, ZERO)

    def _begin(self, start: date, created: date | None, earlier: Window | None) -> None:
        state, known = self._state, self._state.history
        said = known.said if known else ZERO
        if state.bookmark is None or known is None or start not in state.sums:
            # A first load; or an older version wrote the state, or a setting has changed.
            is_whole = created is not None and start <= created
            state.history = History(start, ZERO if is_whole else None, start, said=said)
            state.sums = {start: ZERO}
        elif earlier and earlier.end + DAY == known.first:
            state.history = History(earlier.start, None, earlier.start, said=said)

    def note(self, day: date, total: UsageRecord | None) -> None:
        """Add the `totalprice` of a day, and put the sums into the state."""
        state, planner, sums = self._state, self._planner, self._sums
        price = (total and total.price) or ZERO
        following = planner.granularity.following(day)
        if day < self._starts:
            was_missing = any(day in window for window in state.missing_days)
            if was_missing and state.history and day >= state.history.first:
                self._add_missing(day, price)
            return
        if not self._is_counting or not state.history:
            return
        self._newest[day] = price
        sums[day] = self._up_to_now
        with localcontext(EXACT):
            self._up_to_now += price
        sums[following] = self._up_to_now
        # The next run may begin with the bookmark, or as long before as its lookback; and if runs
        # begin with the bookmark for a while, the one after them with a later day.
        again = max(planner.less_lookback(max(day, self._bookmark)), state.history.first)
        first, last = planner.granularity.first(again), again + MAX_AGE * DAY
        for each in [each for each in sums if each < first]:
            del sums[each]
        state.sums = {
            each: before
            for each, before in sums.items()
            if each <= last or each in {day, following}
        }

    def _add_missing(self, day: date, price: Decimal) -> None:
        with localcontext(EXACT):
            for each in [each for each in self._sums if each > day]:
                self._sums[each] += price
            self._up_to_now += price
        self._state.sums = {**self._sums}

    def end(self, account: Account, history: Collection[Reported]) -> bool:
        """Log what the history has and no day. Return whether the days are the whole history."""
        state, planner, known = self._state, self._planner, self._state.history
        totals = [each for each in history if normalise(each.category) == TOTAL]
        if not self._is_counting or known is None or not totals or not planner.reads_up_to_today:
            return False  # a later run compares
        if state.first_rows is None or state.first_rows > planner.today - NEW:
            return False  # so it does for a new account
        with localcontext(EXACT):
            left = sum((each.amounts[-1] for each in totals if each.amounts), ZERO)
            left -= self._up_to_now
        try:
            self._compare(account, known, left)
        except ApiError as error:
            planner.logger.info(
                "%s: its days cannot be compared with Twilio's AllTime; the next run tries again: "
                "%s",
                *(state.name, error),
            )
            return False
        return known.before == 0 and not state.missing_days

    def _compare(self, account: Account, known: History, left: Decimal) -> None:
        """Compare what AllTime has and no loaded day with what the days before have."""
        if known.before is None:
            before = _fetch_before(account, known.first)
            known.before = max(ZERO, left) if before is None else before
        today, few = self._planner.today, self._rounding(known.first)
        with localcontext(EXACT):
            more = left - known.before
        if more <= few:
            if known.said and known.more_since != known.first:  # the first comparison since then
                self._planner.logger.info(
                    "%s: its days add up to Twilio's AllTime again", self._state.name
                )
            known.more_since, known.more, known.said = None, ZERO, ZERO
            return
        known.more_since = known.more_since or today
        known.more = min(known.more or more, more)
        if today - known.more_since < NEW:
            return
        more, known.more_since, known.more = known.more, today, ZERO
        if more <= known.said + few:
            known.said = min(known.said, more)
            return
        before = _fetch_before(account, known.first)
        if before is not None:  # Twilio may have restated days before the first one
            with localcontext(EXACT):
                more += known.before - before
            known.before = before
        if more > known.said + few:
            known.said = more
            self._log(more, known)

    def _log(self, more: Decimal, known: History) -> None:
        state, planner = self._state, self._planner
        new = planner.today - NEW + DAY
        newest = self._newest.items()
        late = [abs(each) for day, each in newest if planner.granularity.following(day) > new]
        # What is spent in a day may be in AllTime before the day has it.
        is_normal = state.missing_days or more <= sum(late, ZERO)
        (planner.logger.info if is_normal else planner.logger.warning)(
            "%s: Twilio's AllTime has %s more than all days %s %s together: a day is incomplete, "
            "or was restated after it was last read%s",
            state.name,
            f"{more:,f}",
            "before and since" if known.before else "since",
            known.first,
            ", or a subaccount has usage before" * state.context.includes_subaccounts,
        )

    def _rounding(self, first: date) -> Decimal:
        return ROUNDING_OF_A_ROW * ((self._planner.today - first).days + 1)


def _fetch_before(account: Account, first: date) -> Decimal | None:
    """Return what the account has spent before a day; None if that cannot be known."""
    created = account.fetch_date_created()
    if created is None:
        return None
    if created >= first:
        return ZERO
    months = account.fetch_totals(MONTHLY, Window(created, first - DAY))
    with localcontext(EXACT):
        return sum((each.price or ZERO for each in months.values()), ZERO) if months else None
