"""Prices as other tools store them: decimals, text, whole numbers, or doubles. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal

from tap_twilio_usage.money import parsers
from tap_twilio_usage.money.memoize import memoize
from tap_twilio_usage.raw.errors import RawError

DIGITS = 15  # that a double holds of any decimal


class Prices:
    """Reads prices, and counts those that came as doubles."""

    def __init__(self) -> None:
        """Begin with no price."""
        self.doubles = self.rounded = 0
        self._exact = memoize(_exact)

    def read(self, values: Iterable[object]) -> list[Decimal | None]:
        """Return the exact price of each row. Raises RawError for one that is not a price."""
        found = []
        for value in values:
            try:
                if isinstance(value, float):
                    found.append(self._of_double(value))
                else:
                    found.append(self._exact(value))
            except ValueError as error:
                raise RawError(f"row {len(found) + 1}: its price {error}") from None
        return found

    def _of_double(self, value: float) -> Decimal | None:
        if not math.isfinite(value):
            raise ValueError("is not a number")
        self.doubles += 1
        shortest = repr(value)
        digits = f"{value:.{DIGITS}g}"
        if float(digits) != value:
            self.rounded += 1
            shortest = digits
        return parsers.price(shortest)


def _exact(value: object) -> Decimal | None:
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        value = str(value)
    return parsers.price(value.strip() if isinstance(value, str) else value)


def quantity(value: object) -> Decimal | None:
    """Return a count or usage; None if it is missing or not a number."""
    try:
        return parsers.number(None if value is None else str(value).strip())
    except ValueError:
        return None
