"""Work on daemon threads, so that nothing under way can keep a stopped tap from exiting."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from functools import partial
from itertools import islice
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


def spawn(work: Callable[[], R]) -> Future[R]:
    """Start the work on a thread of its own; the future gives its result or its error."""
    future: Future[R] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001  (it belongs to who waits)
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


class InOrder(Generic[T, R]):
    """Results of work, in the order of its items; an iterator that an error does not end.

    Up to `at_once` results are `ahead`: under way, or waiting for their turn.
    """

    def __init__(self, work: Callable[[T], R], items: Iterable[T], at_once: int) -> None:
        """Begin with nothing."""
        self._work = work
        self._items = iter(items)
        self._at_once = at_once
        self.ahead: deque[Future[R]] = deque()

    def begin(self, at_once: int) -> None:
        """Begin what is missing to so many."""
        for item in islice(self._items, max(0, at_once - len(self.ahead))):
            self.ahead.append(spawn(partial(self._work, item)))

    def __iter__(self) -> Iterator[R]:
        """Give itself."""
        return self

    def __next__(self) -> R:
        """Give the next result, or raise its error."""
        self.begin(self._at_once)
        if not self.ahead:
            raise StopIteration
        return self.ahead.popleft().result()

    def done(self) -> Iterator[R]:
        """Give the next results, without waiting, up to one that is not there."""
        for future in self.ahead:
            if not future.done() or future.exception():
                return
            yield future.result()
