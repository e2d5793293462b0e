"""Work on daemon threads, which cannot keep a stopped tap from exiting."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, wait
from functools import partial, wraps
from itertools import islice
from typing import Generic, TypeVar

from tap_twilio_usage.errors import TapError

# Seconds after which a wait begins again. Python handles a signal that comes just before the main
# thread begins to wait only after that wait.
MOMENT = 1.0

T = TypeVar("T")
R = TypeVar("R")


def spawn(work: Callable[[], R]) -> Future[R]:
    """Start the work on a new thread; return a future with its result or its error.

    Raises TapError if the system has no thread left.
    """
    future: Future[R] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001  (raised again by future.result)
            future.set_exception(error)

    try:
        threading.Thread(target=run, daemon=True).start()
    except RuntimeError:
        raise TapError(
            "no thread can be started; raise the limit of processes (ulimit -u) or of memory "
            "(ulimit -v), or lower max_concurrent_requests"
        ) from None
    return future


class InOrder(Generic[T, R]):
    """Results of parallel work in the order of its items; an iterator that an error does not end.

    Up to `ahead` results are under way or wait for their turn.
    """

    def __init__(self, work: Callable[[T], R], items: Iterable[T], ahead: int) -> None:
        """Start nothing yet."""
        self._work = work
        self._items = iter(items)
        self._ahead = ahead
        self._pending: deque[tuple[T, Future[R]]] = deque()

    def __len__(self) -> int:
        """Return the number of results that are under way or wait for their turn."""
        return len(self._pending)

    def begin(self, ahead: int) -> None:
        """Start work until so many results are under way or wait for their turn."""
        for item in islice(self._items, max(0, ahead - len(self))):
            self._pending.append((item, self._start(item)))

    def begin_again(self, error: type[Exception]) -> None:
        """Start the work again whose turn has not come and which failed with this error."""
        for position, (item, future) in enumerate(self._pending):
            if future.done() and isinstance(future.exception(), error):
                self._pending[position] = item, self._start(item)

    def done(self) -> Iterator[R]:
        """Yield the next results that exist already, up to the first that does not; keep them."""
        for _, future in self._pending:
            if not future.done() or future.exception():
                return
            yield future.result()

    def __iter__(self) -> Iterator[R]:
        """Return the iterator itself."""
        return self

    def __next__(self) -> R:
        """Return the next result, or raise its error; wait for it if needed."""
        self.begin(self._ahead)
        if not self._pending:
            raise StopIteration
        _, future = self._pending.popleft()
        while not future.done():
            wait([future], MOMENT)
        return future.result()

    def _start(self, item: T) -> Future[R]:
        return spawn(partial(self._work, item))


def once(fetch: Callable[[T], R]) -> Callable[[T], R]:
    """Return the method so that it runs once for each object, whichever threads call it.

    Later calls return the first result. After an error, the next call runs it again.
    """
    lock, result = f"lock of {fetch.__name__}", f"result of {fetch.__name__}"

    @wraps(fetch)
    def fetch_once(instance: T) -> R:
        known = vars(instance)
        only_one: threading.Lock = known.setdefault(lock, threading.Lock())
        while not only_one.acquire(timeout=MOMENT):
            pass
        try:
            if result not in known:
                known[result] = fetch(instance)
            found: R = known[result]
            return found
        finally:
            only_one.release()

    return fetch_once
