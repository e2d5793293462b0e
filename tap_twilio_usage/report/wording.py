"""How the report writes amounts, shares and days."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")
SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "CAD": "CA$", "AUD": "A$", "BRL": "R$"}
MINUS = "\N{MINUS SIGN}"
BETWEEN = "\N{EN DASH}"
TINY = Decimal("0.1")  # percent
HUGE = 1000  # percent


def sign(unit: str) -> str:
    """Return what stands before an amount of a currency."""
    return SIGNS.get(unit, f"{unit} ")


def money(amount: Decimal, unit: str, *, signed: bool = False) -> str:
    """Return an amount with two decimals and the sign of its currency."""
    rounded = amount.quantize(CENT, ROUND_HALF_UP)
    return f"{_plus_or_minus(rounded, signed=signed)}{sign(unit)}{abs(rounded):,f}"


def exact(amount: Decimal) -> str:
    """Return an amount with all of its decimals, at least two, for a program."""
    text = f"{amount:f}"
    whole, _, rest = text.partition(".")
    return f"{whole}.{rest.rstrip('0'):0<2}"


def short(amount: Decimal, unit: str) -> str:
    """Return an amount for an axis, such as $1,200 or $1.2M."""
    size, name = next(
        ((size, name) for size, name in ((10**9, "B"), (10**6, "M")) if abs(amount) >= size),
        (1, ""),
    )
    number = f"{abs(amount) / size:,.12f}".rstrip("0").rstrip(".")
    return f"{MINUS if amount < 0 else ''}{sign(unit)}{number}{name}"


def unit_cost(amount: Decimal, unit: str) -> str:
    """Return what one unit costs: four decimals if it is small, as on a price list."""
    places = 4 if abs(amount) < 10 else 2  # noqa: PLR2004
    return f"{MINUS if amount < 0 else ''}{sign(unit)}{abs(amount):,.{places}f}"


def percent(part: Decimal, whole: Decimal | None, *, signed: bool = False) -> str:
    """Return a part as a percentage; nothing if there is no positive whole."""
    if not whole or whole < 0:
        return ""
    share = 100 * part / whole
    if part and abs(share) < TINY:
        return f"{_plus_or_minus(part, signed=signed)}<{TINY}%"
    rounded = abs(share).quantize(Decimal(1) if abs(share) >= HUGE else TINY, ROUND_HALF_UP)
    return f"{_plus_or_minus(part, signed=signed)}{rounded:,f}%"


def _plus_or_minus(amount: Decimal, *, signed: bool) -> str:
    if amount < 0:
        return MINUS
    return "+" if signed and amount > 0 else ""


def count(number: int, thing: str) -> str:
    """Return a number of things, such as `1 day` or `1,096 days`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def day(value: date) -> str:
    """Return a day, such as `5 March 2026`."""
    return f"{value.day} {value:%B %Y}"


def short_day(value: date) -> str:
    """Return a day, such as `5 Mar 2026`."""
    return f"{value.day} {value:%b %Y}"


def time(value: datetime) -> str:
    """Return a time in GMT, such as `5 March 2026, 06:15 GMT`."""
    return f"{day(value.date())}, {value:%H:%M} GMT"


def nth(number: int) -> str:
    """Return a number such as 1st, 2nd, 3rd or 11th."""
    teens = number // 10 == 1
    return f"{number}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def month(first: date, last: date) -> str:
    """Return a month, or its days if some are missing."""
    whole = first.day == 1 and last.day == monthrange(last.year, last.month)[1]
    if whole:
        return f"{first:%b %Y}"
    days = f"{first.day}" if first == last else f"{first.day}{BETWEEN}{last.day}"
    return f"{days} {first:%b %Y}"


def span(first: date, last: date) -> str:
    """Return the days from one to another."""
    if (first.year, first.month) == (last.year, last.month):
        return day(first) if first == last else f"{first.day} to {day(last)}"
    if first.year == last.year:
        return f"{first.day} {first:%B} to {day(last)}"
    return f"{day(first)} to {day(last)}"


def unusual(category: str, account: str, cost: str, expected: str, kind: str) -> str:
    """Return what is unusual about a cost."""
    return f"{category} of {account}: {cost} instead of {expected} ({kind})"
