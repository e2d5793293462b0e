"""Case 54: a server that accepts fewer concurrent requests than the setting."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from sandbox import FAULTS, Reply, Request
from tests.conftest import Run
from tests.faults.conftest import Fault, Lab, of_streams, table

STREAM = "usage_records_daily"


class Limit:
    """A plan that accepts a number of concurrent requests, which may change during the run.

    An answer takes some `seconds`, in which the tap can make other requests.
    """

    def __init__(self, allowed: Callable[[Limit], int], seconds: float = 0.05) -> None:
        self._allowed = allowed
        self._seconds = seconds
        self._lock = threading.Lock()
        self._inside = 0
        self.most = 0  # concurrent requests
        self.answered = 0
        self.refused = 0
        self.answered_since_refusal = 0

    def __call__(self, request: Request) -> Fault:
        return self._pass

    def _pass(self, reply: Reply) -> Reply:
        with self._lock:
            if self._inside >= self._allowed(self):
                self.refused += 1
                return FAULTS["429"](reply)
            self._inside += 1
            self.most = max(self.most, self._inside)
        time.sleep(self._seconds)
        with self._lock:
            self._inside -= 1
            self.answered += 1
            self.answered_since_refusal += self.refused > 0
        return reply


def load(lab: Lab, healthy: Run, limit: Limit) -> str:
    """Load ten days, which are about 150 pages; check the rows and return the log."""
    run = lab.with_faults(limit, STREAM, page_size=10, max_concurrent_requests=16)
    assert run.code == 0
    assert table(run) == of_streams(healthy, STREAM)
    assert limit.refused == run.log.count("; try ")
    assert limit.answered > 100
    return run.log


@pytest.mark.nightly
def test_few_requests_are_refused_by_a_server_that_accepts_two_at_a_time(
    lab: Lab, healthy: Run
) -> None:
    limit = Limit(lambda _: 2)
    log = load(lab, healthy, limit)
    assert 0 < limit.refused < 0.1 * limit.answered
    assert log.count("Twilio accepts fewer concurrent requests: ") <= 6


@pytest.mark.nightly
def test_more_requests_are_made_once_the_server_accepts_more(lab: Lab, healthy: Run) -> None:
    limit = Limit(lambda seen: 2 if seen.answered_since_refusal < 8 else 16, seconds=0.15)
    load(lab, healthy, limit)
    assert limit.refused > 0
    assert limit.most >= 5


def test_fewer_requests_are_made_once_the_server_accepts_fewer(lab: Lab, healthy: Run) -> None:
    limit = Limit(lambda seen: 16 if seen.answered < 60 else 1)
    load(lab, healthy, limit)
    assert limit.most >= 5
    assert limit.refused < 0.3 * limit.answered
