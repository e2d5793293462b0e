"""Compares Twilio's AllTime of an account with the sum of its days. Pure, but for the log.

A day whose record is incomplete, or that answers zeros, looks like any other: only this sum shows
that spend is missing. The sum of the days before those that the next run reads is kept in the
state. AllTime may be ahead of the days for a while, so what it has more counts if it stays so.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from datetime import date
from decimal import Decimal, localcontext

from tap_twilio_usage.money.amounts import EXACT, ZERO
from tap_twilio_usage.money.dedup import ROUNDING_OF_A_ROW
from tap_twilio_usage.money.hierarchy import TOTAL, normalise
from tap_twilio_usage.money.usage_record import UsageRecord
from tap_twilio_usage.sync.missing_days import NEW
from tap_twilio_usage.sync.plan import Planner
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
        self._newest: deque[tuple[date, Decimal]] = deque()
        self._sum: Decimal | None = None  # of all days before those in _newest
        bookmark = planner.bookmark(state)
        if days.days > 0 and not (bookmark and planner.granularity.first(days.end) < bookmark):
            self._begin(days.start, created, earlier, is_first_load=bookmark is None)
        self._up_to_now = self._sum or ZERO

    def _begin(
        self, start: date, created: date | None, earlier: Window | None, *, is_first_load: bool
    ) -> None:
        state, known = self._state, self._state.history
        if is_first_load:
            is_whole = created is not None and start <= created
            before, since = (ZERO, start) if is_whole else (None, None)
            state.history = History(start, before=before, is_exact=is_whole, more_since=since)
            state.sums = {start: ZERO}
        elif known is None or start not in state.sums:
            # An older version wrote the state, or a setting has changed: sum up from here on.
            state.history = History(start, is_exact=known is not None)
            state.sums = {start: ZERO}
            if known:
                state.history.more_since, state.history.said = start, known.said
        elif earlier and earlier.end + DAY == known.first:
            state.history = History(
                earlier.start, is_exact=True, more_since=earlier.start, said=known.said
            )
        self._sum = state.sums[start]

    def note(self, day: date, total: UsageRecord | None) -> None:
        """Add the `totalprice` of a day, and put the sums into the state."""
        state, first = self._state, self._planner.granularity.first
        price = (total and total.price) or ZERO
        if day < self._starts:
            was_missing = any(day in window for window in state.missing_days)
            if was_missing and state.history and day >= state.history.first:
                self._add_missing(day, price)
            return
        if self._sum is None:
            return
        with localcontext(EXACT):
            self._up_to_now += price
            self._newest.append((day, price))
            again = max(first(self._planner.less_lookback(day)), self._starts)
            while self._newest[0][0] < again:
                self._sum += self._newest.popleft()[1]
            # The days on which the next run may begin.
            state.sums = {
                again: self._sum,
                day: self._up_to_now - price,
                self._planner.granularity.following(day): self._up_to_now,
            }

    def _add_missing(self, day: date, price: Decimal) -> None:
        with localcontext(EXACT):
            self._state.sums = {
                each: before + price if each > day else before
                for each, before in self._state.sums.items()
            }
            if self._sum is not None:
                self._sum += price
                self._up_to_now += price

    def end(self, account: Account, history: Collection[Reported]) -> bool:
        """Log what the history has and no day. Return whether the days are the whole history."""
        state, planner, known = self._state, self._planner, self._state.history
        totals = [each for each in history if normalise(each.category) == TOTAL]
        if self._sum is None or known is None or not totals or not planner.reads_up_to_today:
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
        return known.is_exact and known.before == 0 and not state.missing_days

    def _compare(self, account: Account, known: History, left: Decimal) -> None:
        """Compare what AllTime has and no loaded day with what the days before have."""
        if known.before is None and known.is_exact:
            known.before = self._fetch_before(account, known.first)
            known.is_exact = known.before is not None
        if known.before is None or (not known.is_exact and left < known.before):
            known.before = max(ZERO, left)  # at most, because AllTime may be ahead of the days
        today, few = self._planner.today, self._rounding(known.first)
        with localcontext(EXACT):
            more = left - known.before
        if more <= few:
            if known.said:
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
        before = self._fetch_before(account, known.first)
        if before is not None:  # Twilio may have restated days before the first one
            with localcontext(EXACT):
                more += known.before - before
            known.before, known.is_exact = before, True
        if more > known.said + few:
            known.said = more
            self._log(more, known)

    def _log(self, more: Decimal, known: History) -> None:
        state, planner = self._state, self._planner
        new = planner.today - NEW + DAY
        late = [abs(each) for day, each in self._newest if planner.granularity.following(day) > new]
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

    def _fetch_before(self, account: Account, first: date) -> Decimal | None:
        """Return what the account has spent before a day; None if that cannot be known."""
        created, first_rows = account.fetch_date_created(), self._state.first_rows
        if created is None and first_rows and first_rows > first:
            return ZERO  # there was nothing on that day
        if created is None:
            return None
        if created >= first:
            return ZERO
        months = account.fetch_totals(MONTHLY, Window(created, first - DAY))
        with localcontext(EXACT):
            return sum((each.price or ZERO for each in months.values()), ZERO) if months else None
