"""The last lines of a run: what was loaded, how much, how long it took, and what to look at."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

from tap_twilio_usage._compat import override
from tap_twilio_usage.logs.wording import count, duration

RETRIED = re.compile(r"; try \d+ after [\d.]+ s$")  # counted apart


class Summary(logging.Handler):
    """Counts the warnings of a run, and says how it went. `clock` returns seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start the clock."""
        super().__init__(logging.WARNING)
        self._clock = clock
        self._began = clock()
        self._warnings = 0

    @contextmanager
    def of(self, logger: logging.Logger) -> Iterator[None]:
        """Count the warnings of the logger while the body runs."""
        logger.addHandler(self)
        try:
            yield
        finally:
            logger.removeHandler(self)

    @override
    def emit(self, record: logging.LogRecord) -> None:
        self._warnings += not RETRIED.search(record.getMessage())

    def lines(self, rows: Mapping[str, int], amounts: Iterable[str], retried: int) -> Iterator[str]:
        """Yield the lines: `rows` by stream, the stream with the `amounts`, retried requests."""
        took = duration(self._clock() - self._began)
        by_stream = ", ".join(
            f"{stream} {number:,}"
            for stream, number in sorted(rows.items(), key=lambda each: -each[1])
        )
        yield f"done in {took}: {count(sum(rows.values()), 'row')}" + (
            f" ({by_stream})" if by_stream else ""
        )
        yield from amounts
        if retried:
            yield f"{count(retried, 'request')} retried"
        yield (
            f"look at {count(self._warnings, 'warning')} above" if self._warnings else "no warnings"
        )
