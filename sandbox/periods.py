"""Days and periods, as both of Twilio's usage APIs use them."""

from __future__ import annotations

import itertools
import re
from datetime import date, timedelta
from typing import NamedTuple

_UNITS = {"DAILY": "%Y-%m-%d", "MONTHLY": "%Y-%m", "YEARLY": "%Y"}


class Period(NamedTuple):
    """The days of a row, both inclusive."""

    first: date
    last: date


def read_day(text: str) -> date | None:
    """Return the date of `YYYY-MM-DD`; None if it is not a valid date."""
    # `fromisoformat` alone accepts more than Twilio does, from Python 3.11 on.
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def named_period(name: str, today: date) -> Period | None:
    """Return the period of a name, up to and including today; None for an unknown name."""
    first_of_month = today.replace(day=1)
    yesterday = today - timedelta(days=1)
    end_of_last_month = first_of_month - timedelta(days=1)
    return {
        "Today": Period(today, today),
        "Yesterday": Period(yesterday, yesterday),
        "ThisMonth": Period(first_of_month, today),
        "LastMonth": Period(end_of_last_month.replace(day=1), end_of_last_month),
        "ThisYear": Period(today.replace(month=1, day=1), today),
    }.get(name)


def cut(unit: str, days: Period) -> list[Period]:
    """Return the `daily`, `monthly` or `yearly` periods of a range, oldest first, cut at its ends.

    Any other unit returns the whole range. A range that ends before it begins has no periods.
    """
    form = _UNITS.get(unit.upper())
    if form is None:
        return [days]
    every = (days.first + timedelta(days=n) for n in range((days.last - days.first).days + 1))
    periods = (tuple(group) for _, group in itertools.groupby(every, lambda d: d.strftime(form)))
    return [Period(period[0], period[-1]) for period in periods]
