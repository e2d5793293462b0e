"""How the log writes numbers, lists and durations."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, TypeAlias

# A stream of the SDK may have either. Quoted: LoggerAdapter has no [] before Python 3.11.
Logger: TypeAlias = "logging.Logger | logging.LoggerAdapter[Any]"

MINUTE, HOUR = 60, 3600  # seconds
MAX_SHOWN = 3  # of a list


def count(number: int, noun: str) -> str:
    """Return a number of things, such as `1 day` or `28,196 rows`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def some(texts: Sequence[str], separator: str = ", ") -> str:
    """Return the first texts of a list, and how many more there are."""
    more = len(texts) - MAX_SHOWN
    return separator.join([*texts[:MAX_SHOWN], *([f"and {more:,} more"] if more > 0 else [])])


def duration(seconds: float) -> str:
    """Return seconds for a person to read, such as `45 s`, `12 min` or `3.5 h`."""
    if seconds < 100:  # noqa: PLR2004
        return f"{seconds:.0f} s"
    return f"{seconds / MINUTE:.0f} min" if seconds < 100 * MINUTE else f"{seconds / HOUR:.1f} h"
