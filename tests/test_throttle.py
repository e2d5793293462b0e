"""How many requests are under way at a time, by the answers to those before."""

from __future__ import annotations

import heapq
import itertools
import logging
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.auth import AuthBase

from tap_twilio_usage.logs.heartbeat import Heartbeat
from tap_twilio_usage.logs.redaction import Redactor
from tap_twilio_usage.twilio import client as client_module
from tap_twilio_usage.twilio import concurrency as throttle_module
from tap_twilio_usage.twilio.auth import Basic
from tap_twilio_usage.twilio.client import Client
from tap_twilio_usage.twilio.concurrency import Limit, Slot, Throttle
from tap_twilio_usage.twilio.errors import ApiError
from tap_twilio_usage.twilio.threads import InOrder, spawn
from tests.http_server import Answer, Request, serve
from tests.twilio import TOKEN

LOGGER = logging.getLogger("test")
MOST = 16

# The number, by itself.


@pytest.fixture(autouse=True)
def _from_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin with two requests at a time: fewer to count."""
    monkeypatch.setattr(throttle_module, "AT_FIRST", 2)


def fill(allowance: Limit) -> list[Slot]:
    turns = []
    while allowance.has_room:
        turns.append(Slot(0))
        allowance.begin(turns[-1])
    return turns


def end(allowance: Limit, turn: Slot, *, accepted: bool | None) -> None:
    turn.was_accepted = accepted
    allowance.end(turn)


def fast(most: int = MOST) -> Limit:
    """Give one that has had nothing but good answers."""
    allowance = Limit(most)
    while allowance.now < most:
        for turn in fill(allowance):
            end(allowance, turn, accepted=True)
    return allowance


@given(st.integers(1, 32), st.lists(st.tuples(st.integers(0, 31), st.sampled_from([1, 0, None]))))
def test_whatever_comes_the_number_stays_in_its_bounds(
    most: int, answers: list[tuple[int, int | None]]
) -> None:
    allowance, under_way = Limit(most), list[Slot]()
    for which, accepted in answers:
        under_way += fill(allowance)
        before = allowance.now
        turn = under_way.pop(which % len(under_way))
        end(allowance, turn, accepted=None if accepted is None else bool(accepted))
        assert 1 <= allowance.now <= most
        assert len(under_way) < most
        change = allowance.now - before
        assert change == 0 if accepted is None else change <= 0 if not accepted else 0 <= change < 2


def test_it_begins_small_and_grows_by_one_with_each_good_answer() -> None:
    allowance, numbers = Limit(MOST), []
    turns = fill(allowance)
    for _ in range(20):
        numbers.append(allowance.now)
        end(allowance, turns.pop(0), accepted=True)
        turns += fill(allowance)
    assert numbers == [*range(2, MOST), *[MOST] * 6]


def test_answers_with_room_left_say_nothing_of_more() -> None:
    allowance = Limit(MOST)
    for _ in range(100):
        turn = Slot(0)
        allowance.begin(turn)
        end(allowance, turn, accepted=True)
    assert allowance.now == 2


def test_a_refusal_with_room_left_says_less_and_halves_it() -> None:
    allowance = fast()
    turn = Slot(0)
    allowance.begin(turn)
    end(allowance, turn, accepted=False)
    assert allowance.now == MOST // 2


def test_a_refusal_lowers_it_to_what_was_taken_and_its_burst_to_no_less() -> None:
    allowance = fast()
    turns = fill(allowance)
    for turn in turns[5:]:
        end(allowance, turn, accepted=False)
    assert allowance.now == 5


def test_what_was_sent_before_it_fell_neither_raises_nor_halves_it() -> None:
    allowance = fast()
    first, second, *others = fill(allowance)
    end(allowance, first, accepted=False)
    assert allowance.now == MOST - 1
    end(allowance, second, accepted=False)
    assert allowance.now == MOST - 2
    for turn in others:
        end(allowance, turn, accepted=True)
    assert allowance.now == MOST - 2


def test_if_nothing_is_taken_after_it_fell_it_halves() -> None:
    allowance, fallen = fast(), []
    turns = fill(allowance)
    while allowance.now > 1:
        end(allowance, turns.pop(), accepted=False)
        fallen.append(allowance.now)
        while not allowance.has_room:
            end(allowance, turns.pop(0), accepted=None)
        turns += fill(allowance)
    assert fallen == [15, 8, 4, 2, 1]


def test_a_refusal_of_what_was_sent_before_it_fell_never_raises_it() -> None:
    allowance = fast()
    turns = fill(allowance)
    end(allowance, turns.pop(), accepted=False)
    end(allowance, turns.pop(0), accepted=None)
    turns += fill(allowance)
    end(allowance, turns.pop(), accepted=False)
    assert (allowance.now, len(turns)) == (8, 14)
    end(allowance, turns.pop(), accepted=False)
    assert allowance.now == 8


# The number, and a server.


def play(
    limit: Callable[[int], int], requests: int, seed: int, most: int = MOST
) -> tuple[int, float, Limit]:
    """Give the refusals and the time it takes a server of so many at a time to answer them all.

    It takes one second for an answer, none for a refusal, and three before that is tried again.
    """
    chance, allowance, number = random.Random(seed), Limit(most), itertools.count()
    now, ready, taken, answered, refused = 0.0, requests, 0, 0, 0
    events: list[tuple[float, int, Slot | None]] = []
    while answered < requests:
        while ready and allowance.has_room:
            turn = Slot(0)
            allowance.begin(turn)
            ready -= 1
            turn.was_accepted = taken < limit(answered)
            taken += turn.was_accepted
            took = chance.uniform(0.8, 1.2) if turn.was_accepted else chance.uniform(0.01, 0.1)
            heapq.heappush(events, (now + took, next(number), turn))
        now, _, ended = heapq.heappop(events)
        if ended is None:
            ready += 1
            continue
        allowance.end(ended)
        if ended.was_accepted:
            taken, answered = taken - 1, answered + 1
        else:
            refused += 1
            heapq.heappush(events, (now + 3, next(number), None))
    return refused, now, allowance


@given(st.integers(1, 40), st.integers(1, 32), st.integers(0, 10**9))
def test_a_limit_is_kept_to_with_few_refusals_and_little_loss(
    limit: int, most: int, seed: int
) -> None:
    refused, took, allowance = play(lambda _: limit, 500, seed, most)
    assert refused <= 16
    assert took <= 1.1 * 500 / min(limit, most) + 7
    assert allowance.now <= limit + 1


@given(st.integers(1, MOST), st.integers(1, MOST), st.integers(0, 10**9))
def test_a_limit_that_changes_is_followed(before: int, after: int, seed: int) -> None:
    refused, _, allowance = play(lambda answered: before if answered < 200 else after, 700, seed)
    assert refused <= 32
    assert after / 2 <= allowance.now <= after + 1


# Turns, on threads.


def test_all_get_their_turn_and_never_more_than_allowed_also_when_requests_fail() -> None:
    throttle, now, seen = Throttle(5, LOGGER), [0], list[int]()

    def work(number: int) -> None:
        with throttle.turn() as turn:
            now[0] += 1
            seen.append(now[0])
            time.sleep(0.001)
            now[0] -= 1
            if number % 3 == 0:
                raise ValueError(number)
            turn.was_accepted = number % 7 != 0

    futures = [spawn(lambda number=number: work(number)) for number in range(200)]  # type: ignore[misc]
    failed = [number for number, each in enumerate(futures) if each.exception(timeout=30)]
    assert failed == list(range(0, 200, 3))
    assert len(seen) == 200
    assert max(seen) <= 5


def test_who_came_first_goes_first_and_keeps_the_place() -> None:
    """The turn goes to who waits, so the first two take turns until they have done."""
    throttle, order = Throttle(1, LOGGER), list[int]()
    all_stand_in_line = threading.Event()

    def work(number: int) -> None:
        for _ in range(3):
            with throttle.turn():
                all_stand_in_line.wait(timeout=10)
                until(lambda: len(throttle._line) == sum(order.count(n) < 3 for n in range(4)) - 1)
                order.append(number)

    futures: list[Future[None]] = []
    for number in range(4):
        futures.append(spawn(lambda number=number: work(number)))  # type: ignore[misc]
        until(lambda: not throttle._allowance.has_room and len(throttle._line) >= len(futures) - 1)
    all_stand_in_line.set()
    for future in futures:
        future.result(timeout=10)
    assert order == [0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3]


def until(condition: Callable[[], bool]) -> None:
    for _ in range(10_000):
        if condition():
            return
        time.sleep(0.001)
    pytest.fail("it never came to this")


def test_a_signal_that_ends_a_wait_leaves_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    throttle = Throttle(1, LOGGER)

    def interrupted(*_: object) -> bool:
        raise KeyboardInterrupt

    with throttle.turn():
        with monkeypatch.context() as patch:
            patch.setattr(threading.Event, "wait", interrupted)
            with pytest.raises(KeyboardInterrupt), throttle.turn():
                pass
        assert throttle._line == []
        assert not throttle._allowance.has_room
    with throttle.turn():
        pass


def test_the_log_says_what_is_allowed_but_not_each_time_that_one_more_is_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    throttle = Throttle(MOST, LOGGER)
    with caplog.at_level(logging.DEBUG):
        for _ in range(3):
            with throttle.turn(), throttle.turn() as refused:
                refused.was_accepted = False
            assert throttle._allowance.now == 1
            while throttle._allowance.now == 1:
                with throttle.turn() as turn:
                    turn.was_accepted = True
    assert caplog.messages == ["Twilio allows fewer requests at a time: 2 -> 1"]


# Requests.

GOOD = Answer.json({})
ANSWERS = {
    "429": (Answer.error(429, 20429, "Too Many Requests"), 1),
    "503": (Answer.error(503, 20503, "Service Unavailable"), 2),
    "a body cut short": (Answer(b"{}", length=50), 2),
    "403": (Answer.error(403, 20003, "Forbidden"), 3),
    "200": (GOOD, 3),
}


def client(url: str, credentials: Basic, connections: int = MOST) -> Client:
    return Client(
        url,
        credentials,
        setting="api_url",
        mask=Redactor([TOKEN]),
        watch=Heartbeat(LOGGER),
        connections=connections,
        logger=LOGGER,
    )


@pytest.mark.parametrize(("answer", "allowed"), ANSWERS.values(), ids=ANSWERS.keys())
def test_only_a_429_lowers_it_and_only_an_answer_raises_it(
    answer: Answer, allowed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "TRIES", 1)
    with serve(lambda _: answer) as server:
        twilio = client(server.url, Basic("AC", TOKEN))
        with twilio._throttle.turn(), suppress(ApiError):
            twilio.get("/x")
    allowance = twilio._throttle._allowance
    assert allowance.now == len(fill(allowance)) == allowed


def test_a_wait_before_the_next_try_takes_no_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "FIRST_WAIT", 1.0)
    answers = iter([Answer.error(429, 20429)])
    with serve(lambda _: next(answers, GOOD)) as server:
        twilio = client(server.url, Basic("AC", TOKEN), connections=1)
        refused = spawn(lambda: twilio.get("/refused"))
        until(lambda: len(server.requests) == 1)
        twilio.get("/other")
        refused.result(timeout=10)
    assert [request.path for request in server.requests] == ["/refused", "/other", "/refused"]


def test_a_request_is_signed_when_its_turn_comes() -> None:
    """Not when it gets in line: a token may expire there."""
    signed: list[int] = []

    class Signing(Basic):
        def sign(self) -> AuthBase:
            signed.append(len(server.requests))
            return super().sign()

    def answer(_: Request) -> Answer:
        time.sleep(0.05)
        return GOOD

    with serve(answer) as server:
        twilio = client(server.url, Signing("AC", TOKEN), connections=1)
        list(InOrder(twilio.get, ["/x"] * 4, 4))
    assert signed == [0, 1, 2, 3]
