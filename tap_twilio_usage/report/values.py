"""What drivers return, as the types that the report computes with. Pure."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from tap_twilio_usage.focus.delivery import moment


def flag(value: Any) -> bool | None:
    """Return a truth value, which some warehouses store as a number."""
    return None if value is None else bool(value)


def day(value: Any) -> date | None:
    """Return the day, in GMT, of a time or a day."""
    if found := moment(value):
        return found.date()
    return value if isinstance(value, date) else None


def exact(value: Any) -> Decimal | None:
    """Return a number as the warehouse writes it."""
    if value is None or isinstance(value, Decimal):
        return value
    return Decimal(str(value))
