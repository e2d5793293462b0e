"""Cases 24 and 25: invalid states, clocks and calendars.

Case 26, runs that are cut off anywhere, is in `tests/test_restart.py`.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from sandbox import BILLING_GROUP_IDS, MAIN_SID, Company, Server
from tests.conftest import Run
from tests.faults.conftest import (
    BILLING,
    DATED,
    DATED_BY_DAY,
    FIRST,
    LAST,
    SPEED,
    TODAY,
    TYPICAL_BY_DAY,
    Lab,
    of_streams,
    table,
)
from tests.forked import Overrides

USAGE_CONTEXT = {"account_sid": MAIN_SID, "includes_subaccounts": True}
BILLING_CONTEXT = {"billing_group_id": BILLING_GROUP_IDS[0]}


def context_of(stream: str) -> dict[str, Any]:
    return BILLING_CONTEXT if stream in BILLING else USAGE_CONTEXT


def state_of(stream: str, bookmark: object, **more: Any) -> dict[str, Any]:
    mark = {"replication_key": "start_date", "replication_key_value": bookmark}
    partition = {"context": context_of(stream), **mark, **more}
    return {"bookmarks": {stream: {"partitions": [partition]}}}


def bookmarks(state: dict[str, Any]) -> dict[tuple[str, str], str]:
    return {
        (stream, str(partition["context"])): partition["replication_key_value"]
        for stream, value in state["bookmarks"].items()
        for partition in value.get("partitions", [])
        if "replication_key_value" in partition
    }


def at(time_in_gmt: str) -> Overrides:
    return Overrides(SPEED, now=datetime.fromisoformat(f"{time_in_gmt}+00:00"))


# 24: the state.


@pytest.mark.parametrize("stream", TYPICAL_BY_DAY)
@pytest.mark.parametrize(
    "kind", ["no object", "garbage", "no partitions", "no context", "no markers"]
)
def test_an_invalid_state_is_refused_before_the_first_request(
    lab: Lab, stream: str, kind: str
) -> None:
    state = {
        "no object": {"bookmarks": {stream: 5}},
        "garbage": state_of(stream, "soon"),
        "no partitions": {"bookmarks": {stream: {"partitions": {"a": 1}}}},
        "no markers": state_of(stream, "2025-09-15", progress_markers=5),
        "no context": {"bookmarks": {stream: {"partitions": [{"context": {}}]}}},
    }[kind]
    with Server(lab.company) as server:
        run = lab.run(server.url, stream, state=state)
    assert run.code == 1
    assert "the state cannot be used: " in run.last_line
    assert stream in run.last_line
    assert run.last_line.endswith("; pass the last STATE of a run, or none")
    assert (server.requests, run.out) == ([], "")


@pytest.mark.parametrize("text", ["", "{", '{"bookmarks": {"usage_rec', "[]", "null", "\ufeff{}"])
def test_a_truncated_state_is_refused_in_one_line(lab: Lab, text: str) -> None:
    run = lab.run("http://127.0.0.1:1", state=text)
    assert run.code == 1
    assert run.last_line.endswith("state.json does not contain a JSON object")
    assert run.out == ""


def test_a_state_of_an_unknown_stream_is_refused(lab: Lab) -> None:
    run = lab.run("http://127.0.0.1:1", state={"bookmarks": {"usage_records_weekly": {}}})
    assert run.code == 1
    assert "'usage_records_weekly' is not a stream of this tap" in run.last_line


@pytest.mark.parametrize("bookmark", [f"{TODAY + timedelta(days=1)}", "2999-12-31"])
@pytest.mark.parametrize("stream", DATED_BY_DAY)
def test_a_bookmark_in_the_future_is_reset(lab: Lab, stream: str, bookmark: str) -> None:
    if not bookmark.endswith("-12-31") and not stream.endswith("daily"):
        bookmark = f"{TODAY.year + 1}-01-01"  # a period begins with its first day
    noon = at(f"{TODAY}T12:00")
    state = state_of(stream, bookmark)
    one: dict[str, Any] = {"end_date": None, "billing_group_ids": [BILLING_GROUP_IDS[0]]}
    with Server(lab.company) as server:
        run = lab.run(server.url, stream, state=state, overrides=noon, **one)
        whole = lab.run(server.url, stream, overrides=noon, **one)
    assert (run.code, whole.code) == (0, 0)
    assert table(run) == table(whole) != {}
    assert bookmarks(run.states[-1]) == bookmarks(whole.states[-1])
    assert f"its bookmark, {bookmark}, is after today: an earlier run had a wrong clock" in run.log


# 25: time.


@pytest.mark.parametrize("stream", DATED_BY_DAY)
def test_a_lookback_never_moves_a_bookmark_back_or_past_today(
    lab: Lab, healthy: Run, stream: str
) -> None:
    noon, before = at(f"{TODAY}T12:00"), healthy.states[-1]
    with Server(lab.company) as server:
        for end_date in (f"{LAST - timedelta(days=3)}", "2099-12-31"):
            run = lab.run(server.url, stream, state=before, overrides=noon, end_date=end_date)
            assert run.code == 0
            assert table(run)
            for key, mark in bookmarks(before).items():
                written = [bookmarks(state)[key] for state in run.states]
                assert [mark, *written, f"{TODAY}"] == sorted([mark, *written, f"{TODAY}"])


def test_midnight_during_a_run_loses_no_row(lab: Lab) -> None:
    """The run starts on one day and ends on the next."""
    lab = replace(lab, company=Company(since=FIRST, today=LAST, subaccounts=1, categories=1))
    the_day_before = LAST - timedelta(days=1)
    with Server(lab.company, latency=0.1) as server:
        began = time.monotonic()
        night = lab.run(
            server.url, *DATED, end_date=None, overrides=at(f"{the_day_before}T23:59:59")
        )
        assert time.monotonic() - began > 1.2
        noon = at(f"{LAST}T12:00")
        day = lab.run(server.url, *DATED, end_date=None, overrides=noon, state=night.states[-1])
        whole = lab.run(server.url, *DATED, end_date=None, overrides=noon)
    assert (night.code, day.code, whole.code) == (0, 0, 0)
    assert set(bookmarks(night.states[-1]).values()) <= {
        f"{the_day_before}",
        f"{LAST}",
        f"{LAST.replace(day=1)}",
        f"{LAST.replace(month=1, day=1)}",
    }
    found, complete = table(night) | table(day), table(whole)
    assert {key: row for key, row in found.items() if key in complete} == complete
    assert not any(row["price"] for key, row in found.items() if key not in complete)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_days_are_gmt_in_every_time_zone(lab: Lab, healthy: Run, zone: str) -> None:
    """In some time zones it is already tomorrow or still yesterday."""
    for time_of_day in ("00:30", "23:30"):
        now = at(f"{LAST}T{time_of_day}")
        with Server(lab.company) as server:
            run = lab.run(server.url, *DATED, env={"TZ": zone}, overrides=now, end_date=None)
        assert run.code == 0
        assert table(run) == of_streams(healthy, *DATED)


def test_the_leap_day_is_loaded(lab: Lab) -> None:
    company = Company(since=date(2024, 1, 1), today=date(2024, 3, 5), subaccounts=1, categories=1)
    lab = replace(lab, company=company)
    with Server(company) as server:
        run = lab.run(server.url, *DATED, start_date="2024-02-28", end_date="2024-03-01")
        rest = lab.run(server.url, *DATED, start_date="2024-02-29", end_date="2024-02-29")
    assert (run.code, rest.code) == (0, 0)
    days = [date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1)]
    assert sums(run, "usage_records_daily") == {f"{day}": company.total(day) for day in days}
    assert sums(run, "billing_group_records") == {f"{day}": company.total(day) for day in days}
    february = sum((company.total(date(2024, 2, day)) for day in range(1, 30)), Decimal(0))
    assert sums(run, "usage_records_monthly")["2024-02-01"] == february
    assert sums(rest, "usage_records_daily") == {"2024-02-29": company.total(days[1])}


def sums(run: Run, stream: str) -> dict[str, Decimal]:
    found: defaultdict[str, Decimal] = defaultdict(Decimal)
    for row in run.records(stream):
        found[row["start_date"]] += row["price" if stream in BILLING else "deduplicated_price"]
    return dict(found)


@pytest.mark.parametrize("stream", DATED_BY_DAY)
def test_a_start_date_after_today_is_logged_and_loads_nothing(lab: Lab, stream: str) -> None:
    with Server(lab.company) as server:
        run = lab.run(server.url, stream, start_date="2098-01-01", end_date=None)
    assert run.code == 0
    assert table(run) == {}
    assert run.states
    assert "no days to load from 2098-01-01 to " in run.log


def test_a_start_date_after_end_date_is_refused(lab: Lab) -> None:
    run = lab.run("http://127.0.0.1:1", start_date="2025-09-21")
    assert run.code == 1
    assert run.last_line.endswith(
        "start_date: 2025-09-21 is after end_date, 2025-09-20; change one of them"
    )
    assert run.out == ""
