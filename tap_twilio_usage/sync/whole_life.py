"""Compares Twilio's AllTime of an account with the sum of all its days. Pure, but for the log.

The day on which an account was created need not have a record, so that only this sum shows whether
it should have one. The sum is kept in the state until all days were loaded, by several runs if one
is interrupted or if the account is new.
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
from tap_twilio_usage.sync.state import AccountState
from tap_twilio_usage.twilio.periods import Window
from tap_twilio_usage.twilio.usage_records import Reported


class WholeLife:
    """The sum of the days of one account, which are noted in ascending order."""

    def __init__(
        self, state: AccountState, planner: Planner, days: Window, created: date | None
    ) -> None:
        """Take the state, the newest days to read, and the creation if this is a first load."""
        self._state = state
        self._planner = planner
        self._starts = days.start
        self._sum = state.uncompared.get(days.start)  # of all days before those in _newest
        reads_all = days.start <= (state.first_day or days.start)
        is_first_load = state.bookmark is None and created and days.start <= created
        if reads_all and (is_first_load or state.uncompared):
            self._sum = ZERO
        self._newest: deque[tuple[date, Decimal]] = deque()
        self._up_to_now = self._sum or ZERO

    def note(self, day: date, total: UsageRecord | None) -> None:
        """Add the `totalprice` of a day, and put the sums into the state."""
        if self._sum is None:
            return
        price = (total and total.price) or ZERO
        with localcontext(EXACT):
            self._up_to_now += price
            if day < self._starts:  # a missing day of an earlier run
                self._sum += price
                self._state.uncompared = {self._starts: self._sum}
                return
            self._newest.append((day, price))
            again = max(self._planner.less_lookback(day), self._starts)
            while self._newest[0][0] < again:
                self._sum += self._newest.popleft()[1]
            # The days on which the next run may begin.
            self._state.uncompared = {
                again: self._sum,
                day: self._up_to_now - price,
                self._planner.granularity.following(day): self._up_to_now,
            }

    def end(self, history: Collection[Reported]) -> bool:
        """Log what the history has and no day. Return whether all days of it were loaded."""
        state, planner = self._state, self._planner
        first, today = state.first_rows, planner.today
        if self._sum is None:
            state.uncompared = {}
            return False
        if state.missing_days or not planner.reads_up_to_today:
            return False  # a later run compares
        if first is None or first > today - NEW:
            return False  # so it does for a new account
        state.uncompared = {}
        with localcontext(EXACT):
            whole = sum((_price(each) for each in history), ZERO)
            left = whole - self._up_to_now
            late = sum((price for day, price in self._newest if day > today - NEW), ZERO)
        if left > ROUNDING_OF_A_ROW * ((today - first).days + 1):
            # What is spent in a day may be in AllTime before the day has it.
            (planner.logger.info if left <= late else planner.logger.warning)(
                "%s: Twilio's AllTime has %s more than all days since %s together: a day is "
                "incomplete%s",
                state.name,
                f"{left:,f}",
                state.first_day,
                ", or a subaccount has usage before" * state.context.includes_subaccounts,
            )
        return True


def _price(reported: Reported) -> Decimal:
    is_total = normalise(reported.category) == TOTAL
    return reported.amounts[-1] if reported.amounts and is_total else ZERO
