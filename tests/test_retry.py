"""How long to wait before a request is made again."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from tap_twilio_usage.twilio.errors import ApiError, Transient
from tap_twilio_usage.twilio.limits import Limits
from tap_twilio_usage.twilio.retry import jitter, retry_after, waits
from tests.clients import FAST, client
from tests.http_server import Answer, serve

LIMITS = Limits()


def wait_for(*errors: ApiError) -> list[float]:
    """Return the waits after these errors of one request."""
    generator = waits(LIMITS)
    next(generator)
    return [generator.send(error) for error in errors]


def test_waits_double_up_to_the_longest() -> None:
    assert wait_for(*[ApiError("")] * 9) == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_wait_is_at_least_what_retry_after_asks_for() -> None:
    asked = [Transient("", seconds) for seconds in (30.0, 0.0, 0.0)]
    assert wait_for(*asked) == [30, 2, 4]


def test_a_short_retry_after_does_not_stop_the_waits_from_growing() -> None:
    assert wait_for(*[Transient("", 2)] * 4) == [2, 2, 4, 8]


def test_jitter_adds_up_to_a_quarter() -> None:
    spread = [jitter(100) for _ in range(1000)]
    assert 100 <= min(spread) < 105
    assert 120 < max(spread) <= 125


@pytest.mark.parametrize("text", ["", "soon", "-5", "1.5", "Fri, 31 Feb 2100 23:59:59 GMT"])
def test_a_retry_after_that_is_missing_or_invalid_is_ignored(text: str) -> None:
    assert retry_after({"Retry-After": text}, LIMITS) is None
    assert retry_after({}, LIMITS) is None


def test_a_retry_after_in_the_past_asks_for_no_wait() -> None:
    assert retry_after({"Retry-After": "Sat, 01 Jan 2000 00:00:00 GMT"}, LIMITS) == 0


@pytest.mark.parametrize("text", ["301", "86400", "Fri, 31 Dec 2100 23:59:59 GMT"])
def test_a_retry_after_over_the_maximum_is_an_error(text: str) -> None:
    with pytest.raises(ApiError, match=r"a wait of \d+ s .*maximum of 300 s; run again later"):
        retry_after({"Retry-After": text}, LIMITS)


def test_pace_divides_the_waits_and_the_log_shows_them_undivided(
    caplog: pytest.LogCaptureFixture,
) -> None:
    limits = replace(FAST, first_wait=40.0, pace=10_000.0, tries=3)
    with serve(lambda _: Answer.error(429, 20429)) as server:
        began = time.monotonic()
        with pytest.raises(ApiError, match="gave up after 3 tries"):
            client(server.url, limits=limits).get("/x")
        assert time.monotonic() - began < 30
    first, second = (float(line.split(" after ")[1].split(" s")[0]) for line in caplog.messages)
    assert 40 <= first <= 50
    assert 60 <= second <= 75
