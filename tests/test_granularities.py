"""Months, years and named periods such as `Today`."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from sandbox import AUTH_TOKEN, MAIN_SID, Company, Server
from tests.conftest import Run, Sync, config
from tests.faults.conftest import catalog as of_streams
from tests.http_server import Answer, Request, serve
from tests.twilio import page, record

SINCE = date(2024, 10, 20)
TODAY = date(2025, 3, 15)


@pytest.fixture
def server() -> Any:
    with Server(Company(since=SINCE, today=TODAY)) as running:
        yield running


def load(sync: Sync, server: Server, stream: str, state: Any = None, **settings: Any) -> Run:
    catalog = of_streams(stream)
    own = {
        "account_sid": MAIN_SID,
        "auth_token": AUTH_TOKEN,
        "start_date": "2024-11-10",
        "end_date": f"{TODAY}",
        "api_url": server.url,
        **settings,
    }
    run = sync(own, catalog=catalog, state=state)
    assert run.code == 0, run.log
    return run


def counted(run: Run, stream: str) -> dict[str, dict[str, Decimal]]:
    """Return the deduplicated prices that are not zero, by period and category."""
    periods: defaultdict[str, dict[str, Decimal]] = defaultdict(dict)
    for row in run.records(stream):
        if row["deduplicated_price"]:
            periods[row["start_date"]][row["category"]] = row["deduplicated_price"]
    return periods


def truth(server: Server, first: date, last: date = TODAY) -> dict[str, Decimal]:
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for n in range((last - first).days + 1):
        for home, price in server.company.truth(first + timedelta(days=n)).items():
            sums[home] += price
    return {home: price for home, price in sums.items() if price}


MONTHS = [
    date(2024, 11, 1),
    date(2024, 12, 1),
    date(2025, 1, 1),
    date(2025, 2, 1),
    date(2025, 3, 1),
]


def test_months_are_complete_and_count_each_charge_once(sync: Sync, server: Server) -> None:
    run = load(sync, server, "usage_records_monthly")
    ends = [month - timedelta(days=1) for month in MONTHS[1:]] + [TODAY]
    assert counted(run, "usage_records_monthly") == {
        f"{first}": truth(server, first, last) for first, last in zip(MONTHS, ends, strict=True)
    }


def test_years_are_complete_including_the_first_year_of_the_account(
    sync: Sync, server: Server
) -> None:
    run = load(sync, server, "usage_records_yearly")
    assert counted(run, "usage_records_yearly") == {
        "2024-01-01": truth(server, SINCE, date(2024, 12, 31)),
        "2025-01-01": truth(server, date(2025, 1, 1)),
    }


def test_the_current_month_is_read_again_until_it_ends(sync: Sync, server: Server) -> None:
    stream = "usage_records_monthly"
    first = load(sync, server, stream, end_date="2025-02-20", lookback_days=0)
    second = load(sync, server, stream, first.states[-1], lookback_days=0)
    assert sorted({r["start_date"] for r in second.records(stream)}) == ["2025-02-01", "2025-03-01"]
    assert counted(second, stream)["2025-02-01"] == truth(
        server, date(2025, 2, 1), date(2025, 2, 28)
    )
    partitions = second.states[-1]["bookmarks"][stream]["partitions"]
    assert [p["replication_key_value"] for p in partitions] == ["2025-03-01"]


def test_requests_start_on_the_first_day_of_a_period(sync: Sync, server: Server) -> None:
    load(sync, server, "usage_records_monthly")
    asked = [
        request.query["StartDate"]
        for request in server.requests
        if request.path.endswith("Monthly.json") and "Category" not in request.query
    ]
    assert set(asked) == {"2024-11-01"}


def test_the_account_is_requested_once_for_all_streams(sync: Sync, server: Server) -> None:
    streams = ["categories", "usage_records_daily", "usage_records_monthly"]
    catalog = of_streams(*streams)
    credentials = {"account_sid": MAIN_SID, "auth_token": AUTH_TOKEN, "api_url": server.url}
    run = sync({**credentials, "start_date": "2025-03-01", "end_date": f"{TODAY}"}, catalog=catalog)
    assert run.code == 0
    asked = [request.path.rpartition("/")[2] for request in server.requests]
    assert (asked.count("AllTime.json"), asked.count(f"{MAIN_SID}.json")) == (1, 1)


def test_two_periods_instead_of_one_are_an_error(sync: Sync) -> None:
    def answer(request: Request) -> Answer:
        starts = ["2026-01-01", "2026-01-15"] if "StartDate" in request.query else ["2026-01-01"]
        if "Records" not in request.path:
            return Answer.error(401, 20003)
        return Answer.json(page([record("calls", "1", start) for start in starts]))

    with serve(answer) as server:
        catalog = of_streams("usage_records_monthly")
        run = sync(config(server.url), catalog=catalog)
    assert (run.code, run.records("usage_records_monthly")) == (1, [])
    assert "one period with two first days, 2026-01-01 and 2026-01-15" in run.last_line


NAMED = {
    "today": (TODAY, TODAY),
    "yesterday": (TODAY - timedelta(days=1), TODAY - timedelta(days=1)),
    "this_month": (date(2025, 3, 1), TODAY),
    "last_month": (date(2025, 2, 1), date(2025, 2, 28)),
    "all_time": (SINCE, TODAY),
}


@pytest.mark.parametrize(("name", "period"), NAMED.items())
def test_a_named_period_counts_each_charge_once(
    sync: Sync, server: Server, name: str, period: tuple[date, date]
) -> None:
    stream = f"usage_records_{name}"
    run = load(sync, server, stream)
    assert counted(run, stream) == {f"{period[0]}": truth(server, *period)}
    assert {r["end_date"] for r in run.records(stream)} == {f"{period[1]}"}
    assert "counts_in_total" in run.schemas()[stream]["schema"]["properties"]
    assert all("replication_key_value" not in f"{state}" for state in run.states)
    again = load(sync, server, stream, run.states[-1])
    assert counted(again, stream) == counted(run, stream)


def test_a_named_period_without_data_is_empty(sync: Sync) -> None:
    with Server(Company(since=TODAY, today=TODAY)) as new:
        run = load(sync, new, "usage_records_yesterday", start_date=f"{TODAY}")
    assert run.records("usage_records_yesterday") == []
