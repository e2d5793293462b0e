"""A line in the log every minute at least, whatever the tap is waiting for."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tap_twilio_usage._compat import override
from tap_twilio_usage.logs.redaction import handlers

LONGEST_SILENCE = 60.0  # seconds


class Heartbeat(logging.Filter):
    """Says what is waited for, when nothing has been said for long.

    A context manager, to be entered once: for the time in which there is something to wait for.
    """

    def __init__(self, logger: logging.Logger) -> None:
        """Begin with nothing asked."""
        super().__init__()
        self._logger = logger
        self._said = time.monotonic()
        self._ended = threading.Event()
        self._numbers = itertools.count()
        self._under_way: dict[int, tuple[str, float]] = {}
        self._answered = 0
        self.retried_requests: list[str] = []

    @contextmanager
    def over(self, request: str) -> Iterator[None]:
        """Know of a request for as long as it takes, all tries together."""
        number = next(self._numbers)
        self._under_way[number] = request, time.monotonic()
        try:
            yield
            self._answered += 1
        finally:
            del self._under_way[number]

    def __enter__(self) -> Heartbeat:  # noqa: PYI034  (typing.Self needs Python 3.11)
        """Begin to watch."""
        for handler in handlers():
            handler.addFilter(self)
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._ended.set()
        for handler in handlers():
            handler.removeFilter(self)

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        """Note that something is said, and let it pass."""
        self._said = time.monotonic()
        return True

    def _watch(self) -> None:
        while not self._ended.wait(self._said + LONGEST_SILENCE - time.monotonic()):
            if time.monotonic() - self._said >= LONGEST_SILENCE:
                self._said = time.monotonic()
                self._logger.info(
                    "still running: %d requests answered, %s", self._answered, self._waiting_for()
                )

    def _waiting_for(self) -> str:
        # The dictionary may change meanwhile: a copy, in one step.
        oldest = next(iter(list(self._under_way.values())), None)
        if oldest is None:
            return "none under way (is the target reading?)"
        request, since = oldest
        return f"{time.monotonic() - since:.0f} s so far for {request}"
