"""How the report writes amounts, shares and days."""

from __future__ import annotations

from calendar import monthrange
from datetime import date
from decimal import Decimal

PENNIES = 2
SMALLEST = Decimal("0.01")  # percent


def money(amount: Decimal, decimals: int = PENNIES, *, signed: bool = False) -> str:
    """Write an amount exactly: with as many decimals as it has, and no fewer than asked for."""
    text = f"{amount:,.{max(decimals, places(amount))}f}"
    return f"+{text}" if signed and amount > 0 else text


def places(amount: Decimal) -> int:
    """Count the decimals that an amount needs."""
    return len(f"{amount:f}".partition(".")[2].rstrip("0"))


def share(part: Decimal, whole: Decimal | None) -> str:
    """Write a part as a percentage."""
    if not whole:
        return ""
    percent = 100 * part / whole
    if part and abs(percent) < SMALLEST:
        return f"under {SMALLEST}%"
    return f"{percent:.{1 if abs(percent) >= 1 else 2}f}%"


def count(number: int, thing: str) -> str:
    """Write a number of things."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def times(naive: Decimal, total: Decimal | None) -> str:
    """Write how many times the total an amount is."""
    return f"{naive / total:.2f}" if total else ""


def day(value: date) -> str:
    """Write a day."""
    return f"{value.day} {value:%B %Y}"


def month(first: date, last: date) -> str:
    """Write a month, or its days where they are not all there."""
    whole = first.day == 1 and last.day == monthrange(last.year, last.month)[1]
    if whole:
        return f"{first:%b %Y}"
    days = f"{first.day}" if first == last else f"{first.day}\u2013{last.day}"
    return f"{days} {first:%b %Y}"


def span(first: date, last: date) -> str:
    """Write the days from one to another."""
    if (first.year, first.month) == (last.year, last.month):
        return day(first) if first == last else f"{first.day} to {day(last)}"
    return f"{day(first)} to {day(last)}"
