"""As many requests at a time as Twilio takes: it documents no limit, and says 429 beyond it.

The number is found as TCP finds its own (RFC 5681): it begins small, grows with every answer up to
the first refusal, falls, and is tried out upwards from then on, each time more rarely.
"""

from __future__ import annotations

import itertools
import logging
import threading
from bisect import insort
from collections.abc import Iterator
from contextlib import contextmanager

AT_FIRST = 4  # so that a server that takes few refuses few
MOST_PATIENCE = 64  # answers before the number is tried out upwards


class Slot:
    """The time of one request. `was_accepted` is for who has it to say, if the answer tells."""

    def __init__(self, place: int) -> None:
        """Take a place in the line."""
        self.place = place
        self.has_come = threading.Event()
        self.times_lowered = 0
        self.was_accepted: bool | None = None


class Limit:
    """How many requests at a time Twilio takes, as far as its answers tell."""

    def __init__(self, most: int) -> None:
        """Begin with nothing under way."""
        self._most = most
        self.now = min(AT_FIRST, most)
        self._under_way = 0
        self._patience = 1  # answers before the number grows
        self._answers = 0
        self._times_lowered = 0
        self._has_worked = True

    @property
    def has_room(self) -> bool:
        """Tell whether another request may be sent."""
        return self._under_way < self.now

    def begin(self, turn: Slot) -> None:
        """Note when the request is sent."""
        turn.times_lowered = self._times_lowered
        self._under_way += 1

    def end(self, turn: Slot) -> None:
        """Learn from the answer, as long as the number is the one that the request was sent at."""
        self._under_way -= 1
        is_recent = turn.times_lowered == self._times_lowered
        if turn.was_accepted is False:
            self._refused(is_recent=is_recent)
        elif turn.was_accepted and is_recent:
            self._accepted()

    def _accepted(self) -> None:
        """Raise the number after some answers; only those count that came with no room left."""
        self._has_worked = True
        if self._under_way + 1 < self.now:
            return
        self._answers += 1
        if self._answers >= self._patience and self.now < self._most:
            self.now += 1
            self._answers = 0
            self._patience = max(1, self._patience // 2)

    def _refused(self, *, is_recent: bool) -> None:
        """Lower the number to the others under way, for those were taken, as far as is known.

        To half, if there was room for more; and if nothing was taken since it was last lowered.
        """
        was_full = self._under_way + 1 >= self.now
        fewer = self._under_way if was_full else max(self._under_way, self.now // 2)
        if is_recent and not self._has_worked:
            fewer = min(fewer, (self.now + 1) // 2)
        self.now = max(1, min(fewer, self.now))
        if is_recent:
            self._has_worked = False
            self._times_lowered += 1
            self._answers = 0
            self._patience = min(16 * self._patience, MOST_PATIENCE)


class _Thread(threading.local):
    """What each thread has of its own."""

    def __init__(self, places: Iterator[int]) -> None:
        """Take a place, when a thread first asks for it."""
        self.place = next(places)


class Throttle:
    """Turns for requests; safe to use from many threads.

    The thread that came first goes first, and keeps its place: the next page of the oldest window,
    and a request that is tried again, are what the others would have to wait for in the end.
    """

    def __init__(self, most: int, logger: logging.Logger) -> None:
        """Let `most` have their turn at a time, or fewer where Twilio refuses them."""
        self._allowance = Limit(most)
        self._logger = logger
        self._said = most
        self._thread = _Thread(itertools.count())
        self._lock = threading.Lock()
        self._line: list[Slot] = []

    @contextmanager
    def turn(self) -> Iterator[Slot]:
        """Wait for a turn, which lasts as long as the `with`."""
        turn = Slot(self._thread.place)
        with self._lock:
            insort(self._line, turn, key=lambda each: each.place)
            self._admit()
        try:
            turn.has_come.wait()
            yield turn
        finally:
            with self._lock:
                self._end(turn)
                self._admit()

    def _admit(self) -> None:
        while self._line and self._allowance.has_room:
            turn = self._line.pop(0)
            self._allowance.begin(turn)
            turn.has_come.set()

    def _end(self, turn: Slot) -> None:
        if turn in self._line:  # a signal ended the wait
            self._line.remove(turn)
            return
        before = self._allowance.now
        self._allowance.end(turn)
        now = self._allowance.now
        if now < before and now != self._said:  # not each time that one more is tried in vain
            self._said = now
            self._logger.info("Twilio allows fewer requests at a time: %d -> %d", before, now)
