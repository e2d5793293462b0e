"""What the log says of a load: how far it is while it is long, and what it came to."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from sandbox import AUTH_TOKEN, MAIN_SID, Company, Server
from tap_twilio_usage.logs.progress import Progress
from tap_twilio_usage.money.enrich import attribute
from tap_twilio_usage.money.usage_record import UsageRecord
from tap_twilio_usage.twilio.periods import Window
from tests.conftest import Sync, config
from tests.http_server import Answer, Request, serve
from tests.test_focus import usage_record
from tests.twilio import SID, account

FIRST = date(2026, 1, 1)
LOGGER = logging.getLogger("progress")


class AnAccount:
    includes_subaccounts = False

    def __init__(self, sid: str) -> None:
        self.sid = sid


def rows_of_a_day() -> list[UsageRecord]:
    return attribute(
        [usage_record("calls", "3"), usage_record("quantum", "1"), usage_record("totalprice", "5")]
    )


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Callable[..., list[str]]:
    """Load accounts of ten days, each of which takes so many seconds, and give what is said."""

    def load(*, accounts: int, seconds: float) -> list[str]:
        now, window = [0.0], Window(FIRST, FIRST + timedelta(days=9))
        with caplog.at_level(logging.INFO, LOGGER.name):
            progress = Progress(LOGGER, clock=lambda: now[0])
            progress.accounts = accounts
            for number in range(accounts):
                progress.next_account()
                progress.begin(AnAccount(f"AC{number + 1}"), window, 1)  # type: ignore[arg-type]
                for day in range(10):
                    now[0] += seconds
                    progress.add(FIRST + timedelta(days=day), rows_of_a_day(), 3)
                progress.end()
            progress.summarize()
        return caplog.messages

    return load


def test_a_long_load_says_how_far_it_is_its_pace_and_the_time_left(
    said: Callable[..., list[str]],
) -> None:
    lines = [line for line in said(accounts=1, seconds=20.0) if " of 10 days" in line]
    assert lines[0] == "AC1: 2 of 10 days, up to 2026-01-02; 6 rows, 0 a second, about 3 min left"
    assert lines[-1] == "AC1: 10 of 10 days, up to 2026-01-10; 30 rows, 0 a second, about 0 s left"
    assert len(lines) == 5


def test_of_many_accounts_it_says_which_one_and_the_time_for_all(
    said: Callable[..., list[str]],
) -> None:
    lines = [line for line in said(accounts=4, seconds=3.0) if " of 10 days" in line]
    assert lines[0].startswith("AC1, account 1 of 4: 10 of 10 days")
    assert lines[0].endswith("30 rows, 1 a second, about 90 s left")
    assert lines[1].startswith("AC2, account 2 of 4: 10 of 10 days")
    assert lines[1].endswith("60 rows, 1 a second, about 60 s left")


def test_a_short_load_is_quiet_until_its_end(said: Callable[..., list[str]]) -> None:
    assert said(accounts=1, seconds=0.1) == [
        "AC1, subaccounts excluded: 2026-01-01..2026-01-10, 10 days in 1 requests or more",
        "AC1: done, 10 days, 30 rows",
        (
            "AC1, usd: totalprice 50, deduplicated 50, of that 10 in no category; the prices of "
            "all categories add up to 40"
        ),
        "all in all: accounts 1, days 10, rows 30, in 1 s",
        "spent in categories that are not known: 'quantum' 10 usd",
    ]


def test_all_accounts_are_summed_up(said: Callable[..., list[str]]) -> None:
    *_, counts, money, unknown = said(accounts=3, seconds=500.0)
    assert counts == "all in all: accounts 3, days 30, rows 90, in 4.2 h"
    assert money.startswith("all in all, usd: totalprice 150, deduplicated 150, of that 30 in no")
    assert unknown == "spent in categories that are not known: 'quantum' 30 usd"


def test_a_run_of_many_accounts_ends_with_its_sums(sync: Sync) -> None:
    last = date(2025, 9, 30)
    company = Company(since=date(2025, 8, 1), today=last, subaccounts=3, categories=1)
    settings: dict[str, Any] = {
        "account_sid": MAIN_SID,
        "auth_token": AUTH_TOKEN,
        "subaccounts": "separate",
        "start_date": "2025-09-29",
        "end_date": f"{last}",
    }
    with Server(company) as server:
        run = sync({**settings, "api_url": server.url})
    total = sum(company.total(day) for day in (last - timedelta(days=1), last))
    assert f"all in all: accounts 3, days 6, rows {len(run.records())}, in " in run.log
    assert f"all in all, usd: totalprice {total}, deduplicated {total}, of that " in run.log
    spent = sum(r["deduplicated_price"] for r in run.records() if r["category"] == "quantum-relay")
    assert spent > 0
    assert f"spent in categories that are not known: 'quantum-relay' {spent} usd, '" in run.log
    assert "tried again" not in run.log


def test_a_run_with_retries_ends_with_their_number(sync: Sync) -> None:
    refused = [Answer.error(503, 20503, Retry_After="0")] * 2
    good = account({"2026-01-01": {"calls": "1", "totalprice": "1"}})

    def answer(request: Request) -> Answer:
        is_page = request.path.endswith("Daily.json")
        return refused.pop() if is_page and refused else good(request)

    with serve(answer) as server:
        run = sync(config(server.url, end_date="2026-01-01"))
    assert run.code == 0
    assert "| requests that were tried again: 2\n" in run.log
    assert run.records()[0]["price"] == Decimal(1)
    assert SID in run.log
