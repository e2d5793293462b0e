"""The tap loads the sandbox's company, whose charges are known, each in its own category."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from sandbox import API_KEY_SECRET, API_KEY_SID, AUTH_TOKEN, MAIN_SID, Company, Server
from tests.conftest import Sync

FIRST, LAST = (
    date(2025, 9, 10),
    date(2025, 10, 12),
)  # includes the end of a month and a new category
NEW_FROM = date(2025, 9, 15)


@pytest.fixture
def company() -> Company:
    return Company(today=date(2025, 11, 1), new_category_from=NEW_FROM)


def settings(server: Server, **more: Any) -> dict[str, Any]:
    return {
        "account_sid": MAIN_SID,
        "auth_token": AUTH_TOKEN,
        "start_date": f"{FIRST}",
        "end_date": f"{LAST}",
        "api_url": server.url,
        **more,
    }


def by_day(records: list[dict[str, Any]]) -> dict[date, dict[str, Decimal]]:
    days: defaultdict[date, dict[str, Decimal]] = defaultdict(dict)
    for row in records:
        if row["deduplicated_price"]:
            day = date.fromisoformat(row["start_date"])
            days[day][row["category"]] = row["deduplicated_price"]
    return days


def truth(company: Company, **scope: Any) -> dict[date, dict[str, Decimal]]:
    days = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]
    return {
        day: {home: price for home, price in company.truth(day, **scope).items() if price}
        for day in days
    }


@pytest.mark.parametrize(("subaccounts", "inside"), [("rolled_up", True), ("excluded", False)])
def test_each_charge_is_counted_once_in_its_own_category(
    sync: Sync, company: Company, subaccounts: str, *, inside: bool
) -> None:
    with Server(company) as server:
        run = sync(settings(server, subaccounts=subaccounts))
    assert run.code == 0
    assert by_day(run.records()) == truth(company, include_subaccounts=inside)


def test_an_api_key_reads_the_main_account_too(sync: Sync, company: Company) -> None:
    key = {"auth_token": None, "api_key_sid": API_KEY_SID, "api_key_secret": API_KEY_SECRET}
    with Server(company) as server:
        run = sync(settings(server, **key))
    assert run.code == 0
    assert by_day(run.records()) == truth(company)


def test_a_new_category_reconciles_and_is_listed_as_unknown(sync: Sync, company: Company) -> None:
    yesterday = LAST - timedelta(days=1)
    with Server(company) as server:
        first = sync(settings(server, end_date=f"{yesterday}"))
        company.charge(LAST, "hologram-calls", Decimal("12.3456"))
        company.charge(LAST, "sms-outbound-lunar", Decimal("3.21"), parent="sms-outbound")
        second = sync(settings(server), state=first.states[-1])
    assert "hologram-calls" not in {r["category"] for r in first.records()}
    rows = [r for r in second.records() if r["start_date"] == f"{LAST}"]
    assert {"hologram-calls", "sms-outbound-lunar"} <= {r["category"] for r in rows}
    assert sum(r["deduplicated_price"] for r in rows) == company.total(LAST)
    assert by_day(second.records())[LAST] == company.truth(LAST)
    unknown = {r["category"]: r for r in second.records("categories") if not r["is_known"]}
    assert {"hologram-calls", "sms-outbound-lunar"} <= unknown.keys()
    assert unknown["sms-outbound-lunar"]["parent_category"] == "sms-outbound"


def test_restated_days_are_read_again(sync: Sync, company: Company) -> None:
    restated = LAST - timedelta(days=3)
    with Server(company) as server:
        first = sync(settings(server))
        company.restate(restated, "sms-outbound-longcode", price_factor=Decimal("1.5"))
        company.restate(restated, "phonenumbers-local", price=Decimal(0))
        second = sync(settings(server, lookback_days=7), state=first.states[-1])
    days = by_day(second.records())
    assert min(days) == LAST - timedelta(days=7)
    assert days[restated] == truth(company)[restated]
    assert days[restated] != by_day(first.records())[restated]


def test_a_concurrency_limit_loses_no_data(sync: Sync, company: Company) -> None:
    with Server(company, max_concurrent=1, retry_after="0", latency=0.1) as server:
        run = sync(settings(server, max_concurrent_requests=8))
    assert run.code == 0
    assert 429 in {request.status for request in server.requests}
    assert by_day(run.records()) == truth(company)


def test_the_order_of_rows_and_small_pages_change_nothing(sync: Sync, company: Company) -> None:
    with Server(company, order="oldest") as server:
        oldest = sync(settings(server, page_size=70))
    with Server(company) as server:
        newest = sync(settings(server))
    drop = {"as_of"}
    assert [{k: v for k, v in r.items() if k not in drop} for r in oldest.records()] == [
        {k: v for k, v in r.items() if k not in drop} for r in newest.records()
    ]
