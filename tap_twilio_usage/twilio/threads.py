"""Work on daemon threads, so that nothing under way can keep a stopped tap from exiting."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from functools import partial, wraps
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

    Up to `at_once` of them are ahead: under way, or waiting for their turn.
    """

    def __init__(self, work: Callable[[T], R], items: Iterable[T], at_once: int) -> None:
        """Begin with nothing."""
        self._work = work
        self._items = iter(items)
        self._at_once = at_once
        self._ahead: deque[tuple[T, Future[R]]] = deque()

    def __len__(self) -> int:
        """Give how many are ahead."""
        return len(self._ahead)

    def begin(self, at_once: int) -> None:
        """Begin what is missing to so many."""
        for item in islice(self._items, max(0, at_once - len(self))):
            self._ahead.append((item, self._begun(item)))

    def begin_again(self, error: type[Exception]) -> None:
        """Begin what has ended with the error ahead of its turn once more."""
        for position, (item, future) in enumerate(self._ahead):
            if future.done() and isinstance(future.exception(), error):
                self._ahead[position] = item, self._begun(item)

    def done(self) -> Iterator[R]:
        """Give the next results, without waiting, up to one that is not there."""
        for _, future in self._ahead:
            if not future.done() or future.exception():
                return
            yield future.result()

    def __iter__(self) -> Iterator[R]:
        """Give itself."""
        return self

    def __next__(self) -> R:
        """Give the next result, or raise its error."""
        self.begin(self._at_once)
        if not self._ahead:
            raise StopIteration
        _, future = self._ahead.popleft()
        return future.result()

    def _begun(self, item: T) -> Future[R]:
        return spawn(partial(self._work, item))


def once(ask: Callable[[T], R]) -> Callable[[T], R]:
    """Make a method ask once for each object, whichever threads call it; it takes no arguments.

    Later calls return the first answer. After an error the next call asks again.
    """
    lock, answer = f"lock of {ask.__name__}", f"answer of {ask.__name__}"

    @wraps(ask)
    def asked(instance: T) -> R:
        known = vars(instance)
        with known.setdefault(lock, threading.Lock()):
            if answer not in known:
                known[answer] = ask(instance)
            found: R = known[answer]
            return found

    return asked
