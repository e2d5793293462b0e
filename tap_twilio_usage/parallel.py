"""Work on daemon threads, so that nothing under way can keep a stopped tap from exiting."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import TypeVar

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


def in_order(work: Callable[[T], R], items: Iterable[T], at_once: int) -> Iterator[R]:
    """Give the results in the order of the items, with up to `at_once` under way or waiting."""
    under_way: deque[Future[R]] = deque()
    for item in items:
        under_way.append(spawn(lambda item=item: work(item)))  # type: ignore[misc]
        if len(under_way) >= at_once:
            yield under_way.popleft().result()
    while under_way:
        yield under_way.popleft().result()
