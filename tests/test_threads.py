"""Parallel work whose results are in order, and methods that run once."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from tap_twilio_usage.twilio.threads import InOrder, once, spawn
from tests.waiting import LONGEST, until


def test_results_are_in_order_whichever_work_ends_first() -> None:
    def work(number: int) -> int:
        time.sleep(0.02 if number % 3 == 0 else 0)
        return number

    assert list(InOrder(work, range(20), 4)) == list(range(20))


def test_work_runs_in_parallel_up_to_the_limit() -> None:
    lock, now, most = threading.Lock(), [0], [0]
    three = threading.Barrier(3, timeout=LONGEST)

    def work(_: int) -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        three.wait()
        with lock:
            now[0] -= 1

    list(InOrder(work, range(21), 3))
    assert most == [3]


def test_work_is_not_started_too_early() -> None:
    begun: list[int] = []
    results = InOrder(begun.append, range(100), 4)
    next(results)
    until(lambda: len(begun) >= 4)
    time.sleep(0.05)
    assert len(begun) == 4


def test_work_that_failed_in_advance_can_be_started_again() -> None:
    is_down = [True]

    def work(number: int) -> int:
        if is_down[0] and number:
            raise LookupError(number)
        return number

    results = InOrder(work, range(4), 4)
    assert next(results) == 0
    until(lambda: all(future.done() for _, future in results._pending))
    is_down[0] = False
    results.begin_again(ValueError)  # of another kind
    with pytest.raises(LookupError, match="1"):
        next(results)
    results.begin_again(LookupError)
    assert list(results) == [2, 3]


def test_once_runs_once_for_each_object_and_in_parallel_for_different_ones() -> None:
    asked, both = [], threading.Barrier(2, timeout=LONGEST)

    class Asked:
        @once
        def value(self) -> int:
            asked.append(self)
            both.wait()  # for the one of the other object
            return len(asked)

    objects = Asked(), Asked()
    futures = [spawn(each.value) for each in objects * 3]
    assert len({future.result(timeout=LONGEST) for future in futures}) == 1
    assert len(asked) == 2


def test_once_runs_again_after_an_error() -> None:
    class Asked:
        errors = iter([ValueError("once")])

        @once
        def value(self) -> int:
            for error in self.errors:
                raise error
            return 1

    asked = Asked()
    with pytest.raises(ValueError, match="once"):
        asked.value()
    assert asked.value() == 1


def test_an_error_is_raised_in_its_turn() -> None:
    def work(number: int) -> int:
        if number == 2:
            raise ValueError(number)
        return number

    results = InOrder(work, range(9), 4)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="2"):
        next(results)


A_SIGNAL_THAT_WAKES_NOBODY = """
import signal, sys, threading, time
from tap_twilio_usage.twilio.threads import InOrder, once, spawn

never, began = threading.Event(), threading.Event()

def stop(*_):
    sys.exit("stopped")

def work(_):
    began.set()
    time.sleep(0.3)  # until the main thread waits
    # On this thread, as if it had come just before the main thread began to wait.
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
    never.wait()

class Fetcher:
    fetch = once(work)

signal.signal(signal.SIGTERM, stop)
if sys.argv[1] == "result":
    next(InOrder(work, [1], 1))
else:
    fetcher = Fetcher()
    spawn(fetcher.fetch)
    began.wait()
    fetcher.fetch()
"""


@pytest.mark.parametrize("waits_for", ["result", "lock"])
def test_a_signal_that_comes_just_before_a_wait_ends_it(waits_for: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", A_SIGNAL_THAT_WAKES_NOBODY, waits_for],
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    assert done.stderr == "stopped\n"
