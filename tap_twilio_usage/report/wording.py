"""How the report writes amounts, shares and days."""

from __future__ import annotations

from calendar import monthrange
from datetime import date
from decimal import Decimal

PENNIES = 2
SMALLEST = Decimal("0.01")  # percent


def money(amount: Decimal, decimals: int = PENNIES, *, signed: bool = False) -> str:
    """Return an amount with all of its decimals, and at least as many as `decimals`."""
    text = f"{amount:,.{max(decimals, places(amount))}f}"
    return f"+{text}" if signed and amount > 0 else text


def places(amount: Decimal) -> int:
    """Return the number of decimals that an amount needs."""
    return len(f"{amount:f}".partition(".")[2].rstrip("0"))


def share(part: Decimal, whole: Decimal | None) -> str:
    """Return a part as a percentage; nothing if there is no whole."""
    if not whole:
        return ""
    percent = 100 * part / whole
    if part and abs(percent) < SMALLEST:
        return f"under {SMALLEST}%"
    return f"{percent:.{1 if abs(percent) >= 1 else 2}f}%"


def count(number: int, thing: str) -> str:
    """Return a number of things, such as `1 day` or `1,096 days`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def times(naive: Decimal, total: Decimal | None) -> str:
    """Return how many times the total an amount is; nothing if there is no total."""
    return f"{naive / total:.2f}" if total else ""


def day(value: date) -> str:
    """Return a day, such as `5 March 2026`."""
    return f"{value.day} {value:%B %Y}"


def month(first: date, last: date) -> str:
    """Return a month, or its days if some are missing."""
    whole = first.day == 1 and last.day == monthrange(last.year, last.month)[1]
    if whole:
        return f"{first:%b %Y}"
    days = f"{first.day}" if first == last else f"{first.day}\u2013{last.day}"
    return f"{days} {first:%b %Y}"


def span(first: date, last: date) -> str:
    """Return the days from one to another."""
    if (first.year, first.month) == (last.year, last.month):
        return day(first) if first == last else f"{first.day} to {day(last)}"
    return f"{day(first)} to {day(last)}"
