"""Days and months as spreadsheets and invoices write them."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_MONTH = r"(?P<name>[A-Za-z]{3,9})\.?"
_YEAR, _DAY = r"(?P<year>[12]\d{3})", r"(?P<day>\d{1,2})"
_TIME = (
    r"(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?: ?[AP]M)?(?: ?(?:Z|UTC|GMT|[+-]\d{2}:?\d{2}))?)?"
)
NUMERIC = re.compile(rf"(\d{{1,2}})([/.-])(\d{{1,2}})\2([12]\d{{3}}){_TIME}")
FORMS = [
    re.compile(pattern + _TIME)
    for pattern in (
        rf"{_YEAR}([/.-])(?P<month>\d{{1,2}})\2{_DAY}",
        r"(?P<year>[12]\d{3})(?P<month>\d{2})(?P<day>\d{2})",
        rf"{_MONTH} {_DAY}(?:st|nd|rd|th)?,? {_YEAR}",
        rf"{_DAY}(?:st|nd|rd|th)?[ -]{_MONTH}[ ,-]+{_YEAR}",
    )
]
MONTH_FORMS = [
    re.compile(pattern)
    for pattern in (
        rf"{_YEAR}[/-](?P<month>\d{{1,2}})",
        rf"(?P<month>\d{{1,2}})[/-]{_YEAR}",
        rf"{_MONTH}[ ,/-]+{_YEAR}",
        rf"{_YEAR}[ -]{_MONTH}",
    )
]
RANGE = re.compile(r"\s+(?:-|\u2013|to|through|until)\s+|\s*\u2013\s*")

DAY_FIRST, MONTH_FIRST = "day-first", "month-first"


class Period(NamedTuple):
    """The first and the last day."""

    first: date
    last: date


def date_order(text: str) -> str | None:
    """Return whether the day or the month must come first, None if either can."""
    match = NUMERIC.fullmatch(text.strip())
    if not match:
        return None
    first, sign, second = match[1], match[2], match[3]
    if sign == ".":  # nobody writes 9.30.2025
        return DAY_FIRST
    months = 12
    if int(first) > months:
        return DAY_FIRST
    return MONTH_FIRST if int(second) > months else None


def common_order(texts: Iterable[str]) -> str | None:
    """Return the order of a file's dates, None if none of them tells.

    Raises ValueError if they contradict each other.
    """
    halves = (half for text in texts for half in RANGE.split(text.strip()))
    found = {order: half for half in halves if (order := date_order(half))}
    if len(found) > 1:
        raise ValueError(
            f"{found[DAY_FIRST]!r} begins with a day and {found[MONTH_FIRST]!r} with a month"
        )
    return next(iter(found), None)


def day(text: str, order: str | None) -> date:
    """Return the day. Raises ValueError, with a reason that follows the text in a sentence."""
    text = " ".join(text.split())
    match = NUMERIC.fullmatch(text)
    if match:
        order = date_order(text) or order
        if order is None and match[1] != match[3]:
            raise ValueError("can be two days; use --dates day-first or --dates month-first")
        numbers = [int(match[1]), int(match[3])]
        which, month = numbers if order == DAY_FIRST else reversed(numbers)
        return _date(int(match[4]), month, which)
    for form in FORMS:
        match = form.fullmatch(text)
        if match:
            return _date(int(match["year"]), _month(match), int(match["day"]))
    raise ValueError("is not a date")


def month(text: str) -> Period | None:
    """Return the first and the last day of a month; None if the text is not a month."""
    for form in MONTH_FORMS:
        match = form.fullmatch(" ".join(text.split()))
        if match:
            first = _date(int(match["year"]), _month(match), 1)
            return Period(first, first.replace(day=monthrange(first.year, first.month)[1]))
    return None


def period(text: str, order: str | None) -> Period:
    """Return the days of a month or of a range. Raises ValueError as `day` does."""
    found = month(text)
    if found:
        return found
    halves = RANGE.split(text.strip())
    if len(halves) != len(Period._fields):
        raise ValueError("is not a month and not two dates")
    return Period(*(day(half, order) for half in halves))


def _month(match: re.Match[str]) -> int:
    parts = match.groupdict()
    if "month" in parts:
        return int(parts["month"])
    name = parts["name"].lower()
    for number, full in enumerate(MONTHS, 1):
        if name in (full, full[:3]) or (name, full) == ("sept", "september"):
            return number
    raise ValueError("is not a date")


def _date(year: int, month_number: int, day_number: int) -> date:
    try:
        return date(year, month_number, day_number)
    except ValueError:
        raise ValueError("is not a date") from None
