"""Days with more of their total in no category than is usual for the account.

Such as a day on which a category answers zero though its spend is in the total. The sum of the day
is right, but `totalprice` has what belongs to the category. What is usual is what Twilio's AllTime
has in no category. Pure, but for the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from tap_twilio_usage.logs.wording import some
from tap_twilio_usage.money.amounts import ZERO
from tap_twilio_usage.money.dedup import Prices, deduplicate, rounding
from tap_twilio_usage.money.enrich import total
from tap_twilio_usage.money.usage_record import UsageRecord
from tap_twilio_usage.sync.difference import NEW
from tap_twilio_usage.sync.plan import Planner
from tap_twilio_usage.sync.state import AccountState
from tap_twilio_usage.twilio.periods import DAY, EARLIEST, Window, merged, without_all
from tap_twilio_usage.twilio.usage_records import Reported

LITTLE = Decimal("0.01")  # of a total


class Remainders:
    """The periods of one account that have some of their total in no category."""

    def __init__(self, state: AccountState, planner: Planner) -> None:
        """Take the state, which has the days that the log has named."""
        self._state = state
        self._planner = planner
        self._parts: dict[Window, Decimal] = {}

    def note(self, period: Window, rows: Sequence[UsageRecord]) -> None:
        """Note what of a period is in no category."""
        row = total(rows)
        if row and row.deduplicated_price:  # few have anything there
            prices = {each.category: each.price for each in rows}
            part = _part(row.price, row.deduplicated_price, prices)
            if part > LITTLE:
                self._parts[period] = part

    def end(self, history: Iterable[Reported]) -> None:
        """Log, once, the periods that have more in no category than is usual.

        New ones may get their categories later, if a run reads them again.
        """
        state, planner = self._state, self._planner
        again = planner.granularity.first(planner.less_lookback(state.bookmark or EARLIEST))
        old = max(again, planner.today - NEW + DAY)
        parts = {period: part for period, part in self._parts.items() if period.end < old}
        if parts:
            most = LITTLE + 2 * _usual(history)
            parts = {period: part for period, part in parts.items() if part > most}
        if new := without_all(merged(parts), state.logged_remainders):
            planner.logger.warning(
                "%s: on %s, up to %s of totalprice is in no category, which is more than in "
                "Twilio's AllTime: a category may lack its spend there",
                *(state.name, some([*map(str, new)]), f"{max(parts.values()):.1%}"),
            )
        logged = merged([*state.logged_remainders, *new])
        state.logged_remainders = [each for each in logged if each.end >= again]


def _usual(history: Iterable[Reported]) -> Decimal:
    prices = {each.category: each.amounts and each.amounts[-1] for each in history}
    shares = deduplicate(prices).items()
    totals = [(prices[name], share) for name, (role, share) in shares if role == "total"]
    return max((_part(price, share, prices) for price, share in totals), default=ZERO)


def _part(price: Decimal | None, remainder: Decimal | None, prices: Prices) -> Decimal:
    """Return which part of a total is in no category; zero if it is only by rounding."""
    if not price or not remainder or abs(remainder) <= rounding(prices):
        return ZERO
    return max(remainder / price, ZERO)
