"""Bounds: a wait logs a line at least once a minute, and the size of a response is limited.

That memory does not grow with the history is in `tests/test_memory.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import pairwise

import pytest

from sandbox import Reply
from sandbox.faults import error
from tests.conftest import Run, nightly_except
from tests.faults.conftest import Fault, Lab, of
from tests.forked import Overrides

TOO_LARGE = "/2010-04-01/Accounts.json: the response is larger than 32 MB; check api_url"
SILENCE = 1.0  # instead of a minute
LIMITS = {"connect_timeout": 5, "read_timeout": 4, "deadline": 4, "tries": 2}


def longest_silence(run: Run) -> float:
    """Return the longest time between two lines, in seconds."""
    times = [
        datetime.fromisoformat(line[:23].replace(",", "."))
        for line in run.log.splitlines()
        if " | " in line
    ]
    return max((after - before).total_seconds() for before, after in pairwise(times))


def slow(reply: Reply) -> Reply:
    return reply._replace(pause=4 / len(reply.content))


def silent(reply: Reply) -> Reply:
    return reply._replace(pause=4)


WAITS: dict[str, Callable[[], Fault]] = {
    "an answer that drips": lambda: slow,
    "a server that is silent": lambda: silent,
    "a long Retry-After": lambda: error(429, 20429, "Later", **{"Retry-After": "240"}),
}


@pytest.mark.parametrize("wait", nightly_except({"a server that is silent"}, WAITS))
def test_every_long_wait_is_logged(lab: Lab, wait: str) -> None:
    run = lab.with_faults(
        of("usage_records_daily", WAITS[wait]()),
        "usage_records_daily",
        env={"TAP_TWILIO_USAGE_LOGLEVEL": "INFO"},
        overrides=Overrides(60, {**LIMITS, "silence": SILENCE}),
        end_date="2025-09-12",
    )
    assert "still running: " in run.log
    assert "waiting for /2010-04-01/Accounts/" in run.log
    assert longest_silence(run) < SILENCE + 2.5  # 4 seconds without lines during waits


def test_a_response_that_is_too_large_is_not_read_completely(lab: Lab) -> None:
    sent: list[int] = []

    def large(reply: Reply) -> Reply:
        sent.append(1)
        return reply._replace(content=b" " * (40 * 2**20))

    run = lab.with_faults(of("accounts", large), "accounts")
    assert run.code == 1
    assert TOO_LARGE in run.last_line
    assert len(sent) == 1


def test_a_large_redirect_is_not_read_completely(lab: Lab) -> None:
    large = Reply(302, {"Location": "/elsewhere"}, b" " * (40 * 2**20))
    run = lab.with_faults(of("accounts", lambda _: large), "accounts")
    assert run.code == 1
    assert TOO_LARGE in run.last_line
