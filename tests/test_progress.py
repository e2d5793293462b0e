"""What the log says of a load: the progress of a long one, and the sums at the end."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from sandbox import AUTH_TOKEN, MAIN_SID, Company, Server
from tap_twilio_usage.logs.progress import Progress
from tap_twilio_usage.logs.wording import count, duration
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


def test_numbers_have_thousands_separators_and_the_right_plural() -> None:
    assert count(1, "day") == "1 day"
    assert count(0, "day") == "0 days"
    assert count(28196, "row") == "28,196 rows"
    assert [duration(seconds) for seconds in (0.4, 99, 720, 12600)] == [
        *("0 s", "99 s", "12 min", "3.5 h")
    ]


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Callable[..., list[str]]:
    """Load accounts of ten days, with `seconds` for each day, and return the lines of the log."""

    def load(*, accounts: int, seconds: float) -> list[str]:
        now, window = [0.0], Window(FIRST, FIRST + timedelta(days=9))
        with caplog.at_level(logging.INFO, LOGGER.name):
            progress = Progress(LOGGER, clock=lambda: now[0])
            progress.accounts = accounts
            for number in range(accounts):
                progress.next_account()
                progress.begin(AnAccount(f"AC{number + 1}"), window, 10, requests=1)
                for day in range(10):
                    now[0] += seconds
                    at = FIRST + timedelta(days=day)
                    progress.add(Window(at, at), rows_of_a_day(), 3)
                progress.end()
            for line in progress.summary():
                LOGGER.info(line)
        return caplog.messages

    return load


def test_a_long_load_logs_its_progress_its_pace_and_the_time_left(
    logged: Callable[..., list[str]],
) -> None:
    lines = [line for line in logged(accounts=1, seconds=20.0) if " of 10 days" in line]
    assert (
        lines[0] == "AC1: loaded 2 of 10 days, up to 2026-01-02; 6 rows, 0 rows/s, about 3 min left"
    )
    assert (
        lines[-1]
        == "AC1: loaded 10 of 10 days, up to 2026-01-10; 30 rows, 0 rows/s, about 0 s left"
    )
    assert len(lines) == 5


def test_a_load_of_many_accounts_logs_which_one_and_the_time_for_all(
    logged: Callable[..., list[str]],
) -> None:
    lines = [line for line in logged(accounts=4, seconds=3.0) if " of 10 days" in line]
    assert lines[0].startswith("AC1 (account 1 of 4): loaded 10 of 10 days")
    assert lines[0].endswith("30 rows, 1 rows/s, about 90 s left")
    assert lines[1].startswith("AC2 (account 2 of 4): loaded 10 of 10 days")
    assert lines[1].endswith("60 rows, 1 rows/s, about 60 s left")


def test_a_short_load_logs_its_beginning_and_its_end(logged: Callable[..., list[str]]) -> None:
    assert logged(accounts=1, seconds=0.1) == [
        (
            "AC1, excluding subaccounts: loading 2026-01-01..2026-01-10 (10 days) "
            "with at least 1 request"
        ),
        "AC1: loaded 10 days, 30 rows",
        (
            "AC1, usd: totalprice 50, deduplicated 50 (10 of it in no category), "
            "sum of all categories 40"
        ),
        "1 account, 10 days, 30 rows in 1 s",
        "usd: totalprice 50, deduplicated 50 (10 of it in no category), sum of all categories 40",
        "spend in categories that are new to this version: 'quantum' 10 usd",
    ]


def test_amounts_are_exact_with_thousands_separators(caplog: pytest.LogCaptureFixture) -> None:
    rows = attribute(
        [usage_record("calls", "1234567.000000001"), usage_record("totalprice", "2000000")]
    )
    with caplog.at_level(logging.INFO, LOGGER.name):
        progress = Progress(LOGGER, clock=lambda: 0.0)
        progress.accounts = 1
        progress.next_account()
        progress.begin(AnAccount("AC1"), Window(FIRST, FIRST), 1, 1)
        progress.add(Window(FIRST, FIRST), rows, 28196)
        progress.end()
    assert caplog.messages[1:] == [
        "AC1: loaded 1 day, 28,196 rows",
        (
            "AC1, usd: totalprice 2,000,000, deduplicated 2,000,000.000000000 "
            "(765,432.999999999 of it in no category), sum of all categories 1,234,567.000000001"
        ),
    ]


def test_the_sums_of_all_accounts_are_logged(logged: Callable[..., list[str]]) -> None:
    *_, counts, money, unknown = logged(accounts=3, seconds=500.0)
    assert counts == "3 accounts, 30 days, 90 rows in 4.2 h"
    assert money.startswith("usd: totalprice 150, deduplicated 150 (30 of it in no")
    assert unknown == "spend in categories that are new to this version: 'quantum' 30 usd"


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
    assert f"| usage_records_daily: 3 accounts, 6 days, {len(run.records()):,} rows in " in run.log
    assert f"usage_records_daily: usd: totalprice {total:,f}, deduplicated {total:,f} (" in run.log
    spent = sum(r["deduplicated_price"] for r in run.records() if r["category"] == "quantum-relay")
    assert spent > 0
    assert (
        f"spend in categories that are new to this version: 'quantum-relay' {spent:,f} usd, '"
        in run.log
    )
    assert "retried" not in run.log


def test_a_run_with_retries_ends_with_their_number(sync: Sync) -> None:
    refused = [Answer.error(503, 20503, Retry_After="0")] * 2
    good = account({"2026-01-01": {"calls": "1", "totalprice": "1"}})

    def answer(request: Request) -> Answer:
        is_page = request.path.endswith("Daily.json")
        return refused.pop() if is_page and refused else good(request)

    with serve(answer) as server:
        run = sync(config(server.url, end_date="2026-01-01"))
    assert run.code == 0
    assert "| 2 requests retried\n" in run.log
    assert run.records()[0]["price"] == Decimal(1)
    assert SID in run.log


def test_an_account_without_spend_is_not_the_sum_of_others() -> None:
    assert not Progress(logging.getLogger("progress")).is_sum_of("AC1", ["AC2"])
