"""The sandbox's faulty answers, as an HTTP client receives them."""

from __future__ import annotations

import contextlib
import time
from datetime import date
from typing import Any

import pytest
import requests

from sandbox import AUTH_TOKEN, FAULTS, MAIN_SID, AtRandom, Company, Reply, Server

AUTH = (MAIN_SID, AUTH_TOKEN)
COMPANY = Company(today=date(2025, 1, 31), categories=1)
MAIN = f"/2010-04-01/Accounts/{MAIN_SID}"


def test_the_planned_share_of_answers_are_faults() -> None:
    with Server(COMPANY, plan=AtRandom(0.2)) as server:
        for _ in range(200):
            with contextlib.suppress(requests.RequestException):
                requests.get(f"{server.url}{MAIN}.json", auth=AUTH, timeout=30).json()
    assert 0.1 < len(server.faulty) / len(server.requests) < 0.3
    assert len({request.status for request in server.faulty}) >= 5


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_no_fault_looks_like_a_valid_answer(fault: Any) -> None:
    with Server(COMPANY, plan=lambda _: fault) as server:
        try:
            answer = requests.get(f"{server.url}{MAIN}.json", auth=AUTH, timeout=30)
            usable = answer.ok and answer.json()["sid"] == MAIN_SID
        except requests.RequestException:
            usable = False
    assert not usable


def test_an_answer_can_come_byte_by_byte() -> None:
    def slow(reply: Reply) -> Reply:
        return reply._replace(content=b"0123456789", pause=0.02)

    with Server(COMPANY, plan=lambda _: slow) as server:
        began = time.monotonic()
        answer = requests.get(f"{server.url}/", timeout=30)
    assert answer.content == b"0123456789"
    assert time.monotonic() - began >= 0.2
