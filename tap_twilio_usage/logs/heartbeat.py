"""A line in the log at least every minute, even while the tap waits."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tap_twilio_usage._compat import override
from tap_twilio_usage.logs.redaction import handlers
from tap_twilio_usage.logs.wording import count, duration


class Heartbeat(logging.Filter):
    """Logs what the tap is waiting for when nothing has been logged for `silence` seconds.

    A context manager, to be entered once. It knows of the requests that are in progress.
    """

    def __init__(self, logger: logging.Logger, silence: float = 60.0) -> None:
        """Start with no requests."""
        super().__init__()
        self._logger = logger
        self._silence = silence
        self._last_line = 0.0
        self._ended = threading.Event()
        self._numbers = itertools.count()
        self._in_progress: dict[int, tuple[str, float]] = {}
        self._answered = 0
        self.retried_requests: list[str] = []

    @contextmanager
    def over(self, request: str) -> Iterator[None]:
        """Count a request as in progress while the body runs, with all of its retries."""
        number = next(self._numbers)
        self._in_progress[number] = request, time.monotonic()
        try:
            yield
            self._answered += 1
        finally:
            del self._in_progress[number]

    def __enter__(self) -> Heartbeat:  # noqa: PYI034  (typing.Self needs Python 3.11)
        """Start to watch the log."""
        self._last_line = time.monotonic()
        for handler in handlers():
            handler.addFilter(self)
        with suppress(RuntimeError):  # no thread is left: the first request says so
            threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop watching the log."""
        self._ended.set()
        for handler in handlers():
            handler.removeFilter(self)

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        """Note when a line is logged, and let it pass."""
        self._last_line = time.monotonic()
        return True

    def _watch(self) -> None:
        while not self._ended.wait(self._last_line + self._silence - time.monotonic()):
            if time.monotonic() - self._last_line >= self._silence:
                self._last_line = time.monotonic()
                self._logger.info(
                    "still running: %s answered, %s",
                    count(self._answered, "request"),
                    self._waiting_for(),
                )

    def _waiting_for(self) -> str:
        # Other threads change the dictionary: copy it in one step.
        oldest = next(iter(list(self._in_progress.values())), None)
        if oldest is None:
            return "none in progress; waiting for the target to read"
        request, since = oldest
        return f"waiting for {request} ({duration(time.monotonic() - since)} so far)"
