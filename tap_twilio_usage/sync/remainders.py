"""Days with more of their total in no category than Twilio's AllTime has.

Such as a day on which a category answers zero though its spend is in the total. The sum of the day
is right, but `totalprice` has what belongs to the category. A charge that is in no category at all,
such as a monthly fee, can be most of a day: but then AllTime has it in no category either. Pure,
but for the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal, localcontext
from functools import cached_property
from typing import NamedTuple

from tap_twilio_usage.logs.wording import some
from tap_twilio_usage.money.amounts import EXACT, ZERO
from tap_twilio_usage.money.dedup import Prices, deduplicate, has_only_refunds, rounding
from tap_twilio_usage.money.enrich import total
from tap_twilio_usage.money.usage_record import UsageRecord
from tap_twilio_usage.sync.difference import NEW
from tap_twilio_usage.sync.plan import Planner
from tap_twilio_usage.sync.state import AccountState
from tap_twilio_usage.twilio.periods import DAY, EARLIEST, Window, merged, without_all
from tap_twilio_usage.twilio.usage_records import Reported

LITTLE = Decimal("0.01")  # of a total
CENT = Decimal("0.01")
LEAST = Decimal("0.001")  # that the log shows


class _Remainder(NamedTuple):
    """How much is in no category, and which part of the total that is."""

    amount: Decimal
    part: Decimal


class Remainders:
    """The periods of one account that have some of their total in no category."""

    def __init__(self, state: AccountState, planner: Planner, history: Iterable[Reported]) -> None:
        """Take the state, which has the days that the log has named, and Twilio's AllTime."""
        self._state = state
        self._planner = planner
        self._history = history
        self._amounts: dict[Window, Decimal] = {}
        self._parts: dict[Window, Decimal] = {}  # of those that have more than usual
        self._has_warned = False

    def note(self, period: Window, rows: Sequence[UsageRecord]) -> None:
        """Note what of a period is in no category; log the first one before it that has too much.

        The others can wait for the end, which a run may not reach.
        """
        if self._parts and not self._has_warned and self._is_too_much():
            self._log(is_warning=True)
        row = total(rows)
        if not row or not row.price or not row.deduplicated_price:  # few have anything there
            return
        prices = {each.category: each.price for each in rows}
        amount = _beyond_rounding(row.deduplicated_price, prices)
        self._amounts[period] = amount
        part = amount / abs(row.price)
        can_tell = row.price > 0 or has_only_refunds(prices)
        if can_tell and part > 0 and part > self._usual:
            self._parts[period] = part

    def end(self) -> None:
        """Log, once, the periods that have more in no category than is usual.

        It is usual, too, if AllTime has as much there as all of them together.
        """
        if self._parts:
            self._log(is_warning=self._is_too_much())
        again = self._read_again
        logged = self._state.logged_remainders
        self._state.logged_remainders = [each for each in logged if each.end >= again]

    @property
    def _read_again(self) -> date:
        """The first day that the next run reads again."""
        planner = self._planner
        return planner.granularity.first(planner.less_lookback(self._state.bookmark or EARLIEST))

    @property
    def _old(self) -> date:
        """The day before which no period gets its categories later, in a run that reads it."""
        return max(self._read_again, self._planner.today - NEW + DAY)

    @cached_property
    def _usual(self) -> Decimal:
        """The part of a day that may be in no category. If AllTime has nothing there, it is 0.

        But Twilio has rounded prices to cents, so that a day may have some there by rounding.
        """
        of_all_time = self._of_all_time.part
        is_rounded = all(not each.price % CENT for each in self._history if each.price)
        return LITTLE + 2 * of_all_time if of_all_time or is_rounded else ZERO

    @cached_property
    def _of_all_time(self) -> _Remainder:
        prices = {each.category: each.price for each in self._history}
        for name, (role, share) in deduplicate(prices).items():
            price = prices[name]
            if role == "total" and price and share:
                part = _beyond_rounding(share, prices) / abs(price)
                return _Remainder(abs(share), max(ZERO, part))
        return _Remainder(ZERO, ZERO)

    def _is_too_much(self) -> bool:
        old = self._old
        with localcontext(EXACT):
            amount = sum((each for period, each in self._amounts.items() if period.end < old), ZERO)
        return amount > self._of_all_time.amount

    def _log(self, *, is_warning: bool) -> None:
        old, state = self._old, self._state
        parts = {period: part for period, part in self._parts.items() if period.end < old}
        new = without_all(merged(parts), state.logged_remainders)
        if not new:
            return
        logger = self._planner.logger
        (logger.warning if is_warning else logger.info)(
            "%s: on %s, up to %s of totalprice is in no category, which is more than in "
            "Twilio's AllTime: a category may lack its spend there",
            *(state.name, some([*map(str, new)]), f"{max(LEAST, *parts.values()):.1%}"),
        )
        self._has_warned = is_warning
        state.logged_remainders = merged([*state.logged_remainders, *new])


def _beyond_rounding(remainder: Decimal, prices: Prices) -> Decimal:
    """Return what is in no category beyond what may be there by rounding.

    If there are only refunds, that is what is refunded.
    """
    return (-remainder if has_only_refunds(prices) else remainder) - rounding(prices)
