"""How many requests are under way at the same time, by the responses to earlier ones."""

from __future__ import annotations

import heapq
import itertools
import logging
import random
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.auth import AuthBase

from tap_twilio_usage.twilio.auth import Basic
from tap_twilio_usage.twilio.concurrency import Limit, Slot, Throttle
from tap_twilio_usage.twilio.errors import ApiError
from tap_twilio_usage.twilio.threads import InOrder, spawn
from tests.clients import FAST, LOGGER, client
from tests.http_server import Answer, Request, serve
from tests.twilio import TOKEN

MOST = 16
INITIAL = 2  # with few requests at the start, there are few to count
LIMITS = replace(FAST, initial_concurrency=INITIAL)

# The limit by itself.


def limit_of(maximum: int = MOST) -> Limit:
    return Limit(maximum, INITIAL)


def fill(limit: Limit) -> list[Slot]:
    slots = []
    while limit.has_room:
        slots.append(Slot(0))
        limit.begin(slots[-1])
    return slots


def end(limit: Limit, slot: Slot, *, accepted: bool | None) -> None:
    slot.was_accepted = accepted
    limit.end(slot)


def raised() -> Limit:
    """Return a limit that is at its maximum, after nothing but accepted requests."""
    limit = limit_of()
    while limit.current < MOST:
        for slot in fill(limit):
            end(limit, slot, accepted=True)
    return limit


@given(st.integers(1, 32), st.lists(st.tuples(st.integers(0, 31), st.sampled_from([1, 0, None]))))
def test_the_limit_stays_between_one_and_its_maximum(
    maximum: int, answers: list[tuple[int, int | None]]
) -> None:
    limit, under_way = limit_of(maximum), list[Slot]()
    for which, accepted in answers:
        under_way += fill(limit)
        before = limit.current
        slot = under_way.pop(which % len(under_way))
        end(limit, slot, accepted=None if accepted is None else bool(accepted))
        assert 1 <= limit.current <= maximum
        assert len(under_way) < maximum
        change = limit.current - before
        assert change == 0 if accepted is None else change <= 0 if not accepted else 0 <= change < 2


def test_the_limit_starts_low_and_rises_by_one_with_each_accepted_request() -> None:
    limit, numbers = limit_of(), []
    slots = fill(limit)
    for _ in range(20):
        numbers.append(limit.current)
        end(limit, slots.pop(0), accepted=True)
        slots += fill(limit)
    assert numbers == [*range(INITIAL, MOST), *[MOST] * 6]


def test_requests_that_do_not_fill_the_limit_do_not_raise_it() -> None:
    limit = limit_of()
    for _ in range(100):
        slot = Slot(0)
        limit.begin(slot)
        end(limit, slot, accepted=True)
    assert limit.current == INITIAL


def test_a_refusal_of_a_request_that_does_not_fill_the_limit_halves_it() -> None:
    limit = raised()
    slot = Slot(0)
    limit.begin(slot)
    end(limit, slot, accepted=False)
    assert limit.current == MOST // 2


def test_a_burst_of_refusals_lowers_the_limit_to_the_requests_that_were_accepted() -> None:
    limit = raised()
    slots = fill(limit)
    for slot in slots[5:]:
        end(limit, slot, accepted=False)
    assert limit.current == 5


def test_requests_that_were_sent_before_the_limit_fell_neither_raise_nor_halve_it() -> None:
    limit = raised()
    first, second, *others = fill(limit)
    end(limit, first, accepted=False)
    assert limit.current == MOST - 1
    end(limit, second, accepted=False)
    assert limit.current == MOST - 2
    for slot in others:
        end(limit, slot, accepted=True)
    assert limit.current == MOST - 2


def test_the_limit_halves_if_nothing_was_accepted_since_it_fell() -> None:
    limit, fallen = raised(), []
    slots = fill(limit)
    while limit.current > 1:
        end(limit, slots.pop(), accepted=False)
        fallen.append(limit.current)
        while not limit.has_room:
            end(limit, slots.pop(0), accepted=None)
        slots += fill(limit)
    assert fallen == [15, 8, 4, 2, 1]


def test_a_refusal_of_a_request_that_was_sent_before_the_limit_fell_never_raises_it() -> None:
    limit = raised()
    slots = fill(limit)
    end(limit, slots.pop(), accepted=False)
    end(limit, slots.pop(0), accepted=None)
    slots += fill(limit)
    end(limit, slots.pop(), accepted=False)
    assert (limit.current, len(slots)) == (8, 14)
    end(limit, slots.pop(), accepted=False)
    assert limit.current == 8


# The limit, and a server.


def simulate(
    accepts: Callable[[int], int], requests: int, seed: int, maximum: int = MOST
) -> tuple[int, float, Limit]:
    """Return the refusals and the seconds until a server has accepted all requests.

    The server `accepts` so many requests at the same time, by the number that it has answered. It
    takes one second for an answer and none for a refusal, which is retried after three seconds.
    """
    chance, limit, number = random.Random(seed), limit_of(maximum), itertools.count()
    now, ready, inside, answered, refused = 0.0, requests, 0, 0, 0
    events: list[tuple[float, int, Slot | None]] = []
    while answered < requests:
        while ready and limit.has_room:
            slot = Slot(0)
            limit.begin(slot)
            ready -= 1
            slot.was_accepted = inside < accepts(answered)
            inside += slot.was_accepted
            took = chance.uniform(0.8, 1.2) if slot.was_accepted else chance.uniform(0.01, 0.1)
            heapq.heappush(events, (now + took, next(number), slot))
        now, _, ended = heapq.heappop(events)
        if ended is None:
            ready += 1
            continue
        limit.end(ended)
        if ended.was_accepted:
            inside, answered = inside - 1, answered + 1
        else:
            refused += 1
            heapq.heappush(events, (now + 3, next(number), None))
    return refused, now, limit


@given(st.integers(1, 40), st.integers(1, 32), st.integers(0, 10**9))
def test_the_limit_of_a_server_is_found_with_few_refusals_and_little_loss(
    accepts: int, maximum: int, seed: int
) -> None:
    refused, took, limit = simulate(lambda _: accepts, 500, seed, maximum)
    assert refused <= 16
    assert took <= 1.1 * 500 / min(accepts, maximum) + 7
    assert limit.current <= accepts + 1


@given(st.integers(1, MOST), st.integers(1, MOST), st.integers(0, 10**9))
def test_a_server_whose_limit_changes_is_followed(before: int, after: int, seed: int) -> None:
    refused, _, limit = simulate(lambda answered: before if answered < 200 else after, 700, seed)
    assert refused <= 32
    assert after / 2 <= limit.current <= after + 1


# Slots, on threads.


def throttle_of(maximum: int) -> Throttle:
    return Throttle(maximum, INITIAL, LOGGER)


def test_every_request_gets_a_slot_and_the_maximum_holds_even_if_some_fail() -> None:
    throttle, now, seen = throttle_of(5), [0], list[int]()

    def work(number: int) -> None:
        with throttle.slot() as slot:
            now[0] += 1
            seen.append(now[0])
            time.sleep(0.001)
            now[0] -= 1
            if number % 3 == 0:
                raise ValueError(number)
            slot.was_accepted = number % 7 != 0

    futures = [spawn(lambda number=number: work(number)) for number in range(200)]  # type: ignore[misc]
    failed = [number for number, each in enumerate(futures) if each.exception(timeout=30)]
    assert failed == list(range(0, 200, 3))
    assert len(seen) == 200
    assert max(seen) <= 5


def test_the_thread_that_came_first_goes_first_and_keeps_its_place() -> None:
    """A slot goes to a thread that waits, so the first two alternate until they are done."""
    throttle, order = throttle_of(1), list[int]()
    all_wait = threading.Event()

    def work(number: int) -> None:
        for _ in range(3):
            with throttle.slot():
                all_wait.wait(timeout=10)
                until(lambda: len(throttle._queue) == sum(order.count(n) < 3 for n in range(4)) - 1)
                order.append(number)

    futures: list[Future[None]] = []
    for number in range(4):
        futures.append(spawn(lambda number=number: work(number)))  # type: ignore[misc]
        until(lambda: not throttle._limit.has_room and len(throttle._queue) >= len(futures) - 1)
    all_wait.set()
    for future in futures:
        future.result(timeout=10)
    assert order == [0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3]


def until(condition: Callable[[], bool]) -> None:
    for _ in range(10_000):
        if condition():
            return
        time.sleep(0.001)
    pytest.fail("the condition was never met")


def test_a_signal_that_ends_a_wait_leaves_the_queue() -> None:
    throttle, is_over = throttle_of(1), threading.Event()

    def handler(*_: object) -> None:
        if not is_over.is_set():
            is_over.set()
            raise KeyboardInterrupt

    def interrupt() -> None:
        until(lambda: any(vars(slot.is_granted)["_cond"]._waiters for slot in throttle._queue))
        while not is_over.wait(0.01):  # a signal that comes just before the wait does not end it
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    before = signal.signal(signal.SIGINT, handler)
    try:
        with throttle.slot():
            interrupted = spawn(interrupt)
            with pytest.raises(KeyboardInterrupt), throttle.slot():
                pass
            interrupted.result(timeout=10)
            assert throttle._queue == []
            assert not throttle._limit.has_room
    finally:
        signal.signal(signal.SIGINT, before)
    with throttle.slot():
        pass


def test_the_log_has_a_lower_limit_but_not_each_refused_probe(
    caplog: pytest.LogCaptureFixture,
) -> None:
    throttle = throttle_of(MOST)
    with caplog.at_level(logging.DEBUG):
        for _ in range(3):
            with throttle.slot(), throttle.slot() as refused:
                refused.was_accepted = False
            assert throttle._limit.current == 1
            while throttle._limit.current == 1:
                with throttle.slot() as slot:
                    slot.was_accepted = True
    assert caplog.messages == ["Twilio accepts fewer concurrent requests: 2 -> 1"]


# Requests.

GOOD = Answer.json({})
ANSWERS = {
    "429": (Answer.error(429, 20429, "Too Many Requests"), 1),
    "503": (Answer.error(503, 20503, "Service Unavailable"), 2),
    "a truncated body": (Answer(b"{}", length=50), 2),
    "403": (Answer.error(403, 20003, "Forbidden"), 3),
    "200": (GOOD, 3),
}


@pytest.mark.parametrize(("answer", "allowed"), ANSWERS.values(), ids=ANSWERS.keys())
def test_only_a_429_lowers_the_limit_and_only_a_complete_response_raises_it(
    answer: Answer, allowed: int
) -> None:
    with serve(lambda _: answer) as server:
        twilio = client(server.url, limits=replace(LIMITS, tries=1), connections=MOST)
        with twilio._throttle.slot(), suppress(ApiError):
            twilio.get("/x")
    limit = twilio._throttle._limit
    assert limit.current == len(fill(limit)) == allowed


def test_a_request_that_waits_for_its_next_try_holds_no_slot() -> None:
    answers = iter([Answer.error(429, 20429)])
    with serve(lambda _: next(answers, GOOD)) as server:
        twilio = client(server.url, limits=replace(LIMITS, first_wait=1.0), connections=1)
        refused = spawn(lambda: twilio.get("/refused"))
        until(lambda: len(server.requests) == 1)
        twilio.get("/other")
        refused.result(timeout=10)
    assert [request.path for request in server.requests] == ["/refused", "/other", "/refused"]


def test_a_request_is_signed_when_it_has_its_slot() -> None:
    """Not in the queue, where a token may expire."""
    signed: list[int] = []

    class Signing(Basic):
        def sign(self) -> AuthBase:
            signed.append(len(server.requests))
            return super().sign()

    def answer(_: Request) -> Answer:
        time.sleep(0.05)
        return GOOD

    with serve(answer) as server:
        twilio = client(server.url, Signing("AC", TOKEN), limits=LIMITS, connections=1)
        list(InOrder(twilio.get, ["/x"] * 4, 4))
    assert signed == [0, 1, 2, 3]
