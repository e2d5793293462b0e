"""As many concurrent requests as Twilio accepts: it documents no limit, and answers 429 beyond it.

The limit is found as TCP finds its own (RFC 5681): it starts low, rises with every response up to
the first refusal, falls, and from then on is probed upwards, each time after more responses.
"""

from __future__ import annotations

import itertools
import logging
import threading
from bisect import insort
from collections.abc import Iterator
from contextlib import contextmanager

from tap_twilio_usage.twilio.threads import MOMENT

MOST_ACCEPTED_BEFORE_PROBE = 64


class Slot:
    """One request's permission to be sent. Its user sets `was_accepted` if the response tells."""

    def __init__(self, place: int) -> None:
        """Wait at this place in the queue; lower places go first."""
        self.place = place
        self.is_granted = threading.Event()
        self.times_lowered = 0
        self.was_accepted: bool | None = None


class Limit:
    """The number of concurrent requests that Twilio accepts, as far as its responses tell."""

    def __init__(self, maximum: int, initial: int) -> None:
        """Start with no request under way."""
        self._maximum = maximum
        self.current = min(initial, maximum)
        self._under_way = 0
        self._accepted = 0  # since the limit last changed
        self._accepted_before_probe = 1
        self._times_lowered = 0
        self._was_accepted_since_lowered = True

    @property
    def has_room(self) -> bool:
        """Whether another request may be sent."""
        return self._under_way < self.current

    def begin(self, slot: Slot) -> None:
        """Count a request that is about to be sent."""
        slot.times_lowered = self._times_lowered
        self._under_way += 1

    def end(self, slot: Slot) -> None:
        """Adjust the limit to the response, unless it was lowered after the request was sent."""
        self._under_way -= 1
        is_recent = slot.times_lowered == self._times_lowered
        if slot.was_accepted is False:
            self._lower(is_recent=is_recent)
        elif slot.was_accepted and is_recent:
            self._raise()

    def _raise(self) -> None:
        """Raise the limit by one after some accepted requests; only those count that filled it."""
        self._was_accepted_since_lowered = True
        if self._under_way + 1 < self.current:
            return
        self._accepted += 1
        if self._accepted >= self._accepted_before_probe and self.current < self._maximum:
            self.current += 1
            self._accepted = 0
            self._accepted_before_probe = max(1, self._accepted_before_probe // 2)

    def _lower(self, *, is_recent: bool) -> None:
        """Lower the limit to the number of the other requests under way, which were accepted.

        If there was room for more, or nothing was accepted since it was last lowered, to half.
        """
        was_full = self._under_way + 1 >= self.current
        lower = self._under_way if was_full else max(self._under_way, self.current // 2)
        if is_recent and not self._was_accepted_since_lowered:
            lower = min(lower, (self.current + 1) // 2)
        self.current = max(1, min(lower, self.current))
        if is_recent:
            self._was_accepted_since_lowered = False
            self._times_lowered += 1
            self._accepted = 0
            self._accepted_before_probe = min(
                16 * self._accepted_before_probe, MOST_ACCEPTED_BEFORE_PROBE
            )


class _Thread(threading.local):
    """The place of each thread in the queue."""

    def __init__(self, places: Iterator[int]) -> None:
        """Take the next place, when a thread asks for its first slot."""
        self.place = next(places)


class Throttle:
    """Slots for requests; safe to use from many threads.

    The thread that asked for its first slot first goes first, and keeps its place: all others
    finally have to wait for the next page of the oldest window and for requests that are retried.
    """

    def __init__(self, maximum: int, initial: int, logger: logging.Logger) -> None:
        """Grant up to `maximum` slots at the same time, `initial` ones at the start."""
        self._limit = Limit(maximum, initial)
        self._logger = logger
        self._logged = maximum
        self._thread = _Thread(itertools.count())
        self._lock = threading.Lock()
        self._queue: list[Slot] = []

    @contextmanager
    def slot(self) -> Iterator[Slot]:
        """Wait for a slot, and hold it for as long as the `with` block runs."""
        slot = Slot(self._thread.place)
        with self._lock:
            insort(self._queue, slot, key=lambda each: each.place)
            self._grant()
        try:
            while not slot.is_granted.wait(MOMENT):
                pass
            yield slot
        finally:
            with self._lock:
                self._release(slot)
                self._grant()

    def _grant(self) -> None:
        while self._queue and self._limit.has_room:
            slot = self._queue.pop(0)
            self._limit.begin(slot)
            slot.is_granted.set()

    def _release(self, slot: Slot) -> None:
        if slot in self._queue:  # a signal ended the wait
            self._queue.remove(slot)
            return
        before = self._limit.current
        self._limit.end(slot)
        now = self._limit.current
        if now < before and now != self._logged:  # not each time that a probe is refused
            self._logged = now
            self._logger.info("Twilio accepts fewer concurrent requests: %d -> %d", before, now)
