"""What drivers return, as the types that the report computes with. Pure."""

from __future__ import annotations

from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any


def flag(value: Any) -> bool | None:
    """Return a truth value, which some warehouses store as a number."""
    return None if value is None else bool(value)


def time(value: Any) -> datetime | None:
    """Return a time in GMT; target-duckdb stores it as text."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value.replace("Z", "+00:00"))
    if not isinstance(value, datetime):
        return None
    return value.astimezone(timezone.utc) if value.tzinfo else value.replace(tzinfo=timezone.utc)


def day(value: Any) -> date | None:
    """Return the day, in GMT, of a time or a day."""
    if found := time(value):
        return found.date()
    return value if isinstance(value, date) else None


def exact(value: Any) -> Decimal | None:
    """Return a number as the warehouse writes it."""
    if value is None or isinstance(value, Decimal):
        return value
    return Decimal(str(value))
