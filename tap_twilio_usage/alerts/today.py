"""Whether a day that is not over already costs more than a whole day usually does.

Pure, and with floating point: no billed amount goes through it. The rules are those of the dbt
model `anomalies`, for a warehouse that need not have it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

WEEKS = 8
SPREADS = 5  # above what is expected
# Fewer days than these are too few to say that something never cost anything before.
DAYS_TO_KNOW, DAYS_TO_KNOW_A_FEE = 14, 35
WEEKS_TO_KNOW = 5

Series = tuple[str | None, str, str | None]  # account, category, currency
NEVER: Series = (None, "", None)  # in place of what never cost anything


class History(NamedTuple):
    """What a category of an account cost in the eight weeks before.

    `same_weekday` are its days of the same weekday, from its first cost on and zeros included.
    `days` is the number of days since that first cost, 0 if there is none; `days_with_cost` of them
    cost something, and `largest` is the dearest. `days_loaded` counts the days in the warehouse.
    """

    same_weekday: Sequence[float] = ()
    largest: float = 0
    days: int = 0
    days_with_cost: int = 0
    days_loaded: int = WEEKS * 7
    is_fee: bool = False


class Usual(NamedTuple):
    """What a whole day is expected to cost, and the most that it usually costs."""

    expected: float
    high: float


def usual(history: History, minimum: float) -> Usual:
    """Return what is usual; an excess of less than `minimum` is never unusual."""
    if not history.days:
        known = DAYS_TO_KNOW_A_FEE if history.is_fee else DAYS_TO_KNOW
        return Usual(0, minimum if history.days_loaded >= known else math.inf)
    if history.is_fee or history.days_with_cost * 3 <= history.days:
        largest = max(history.largest, 0)
        return Usual(largest, largest + max(largest / 2, minimum))
    values = sorted(history.same_weekday)
    if len(values) > 2:  # noqa: PLR2004 - without the smallest and the largest
        values = values[1:-1]
    expected = math.fsum(values) / len(values) if values else history.largest
    if len(history.same_weekday) < WEEKS_TO_KNOW:
        return Usual(expected, 2 * max(history.largest, expected, 0) + minimum)
    spread = math.sqrt(math.fsum((each - expected) ** 2 for each in values) / len(values))
    width = SPREADS * max(1.6 * spread, 0.05 * abs(expected))
    return Usual(expected, max(expected + width, expected + minimum))
