"""State: what is refused, and bookmarks that never move back."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_twilio_usage.sync import state
from tests.conftest import Sync, config
from tests.http_server import serve
from tests.test_usage_records import at, partition
from tests.twilio import SID, account, between

DAYS = dict.fromkeys(between("2026-01-01", "2026-01-06"), {"calls": "1", "totalprice": "1"})

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "bookmarks of another type": ({"bookmarks": []}, "bookmarks is no JSON object"),
    "an unknown stream": ({"bookmarks": {"calls": {}}}, "'calls' is no stream of this tap"),
    "a stream of another type": ({"bookmarks": {"categories": 5}}, "categories is no JSON"),
    "partitions of another type": (
        {"bookmarks": {"usage_records_daily": {"partitions": {}}}},
        "the partitions of usage_records_daily are no list",
    ),
    "a bookmark of no account": (
        {"bookmarks": {"usage_records_daily": {"replication_key_value": "2026-01-01"}}},
        "belongs to no account",
    ),
    "a partition without context": (
        {"bookmarks": {"usage_records_daily": {"partitions": [{}]}}},
        "the context of a partition of usage_records_daily is no JSON object",
    ),
    "a context without account": (
        {"bookmarks": {"usage_records_daily": {"partitions": [{"context": {}}]}}},
        "belongs to no account",
    ),
    "a bookmark that is no date": (at("soon"), f"for {SID} is no date"),
    "a bookmark that is a number": (partition(replication_key_value=20260101), "is no date"),
    "a bookmark in another form": (at("2026-1-1"), "is no date"),
    **{
        f"{key} that is no date": (partition(**{key: "soon"}), "is no date")
        for key in ("first_day", "catch_up_to", "last_day", "withdrawn")
    },
    "older days of another type": (partition(older_days=[]), "is no JSON object"),
    "older days without a date": (
        partition(older_days={"day": "2026-01-01"}),
        f"a date is missing in older_days of usage_records_daily for {SID}",
    ),
    "billed days of another type": (
        partition(billed={"days": []}),
        f"days of billed of usage_records_daily for {SID} is no JSON object",
    ),
    "a mark of FOCUS that is no date": (
        {"bookmarks": {"usage_records_daily": {"billed_up_to": 5}}},
        "billed_up_to of usage_records_daily is no date",
    ),
    "an account's name of another type": (partition(account_name=5), "is no text"),
    "used categories of another type": (partition(used_categories="calls"), "is no list of names"),
    "two bookmarks of one account": (
        {
            "bookmarks": {
                "usage_records_daily": {
                    "partitions": at("2026-01-01")["bookmarks"]["usage_records_daily"]["partitions"]
                    * 2
                }
            }
        },
        "has two bookmarks for one account",
    ),
}


@pytest.mark.parametrize(("wrong", "says"), WRONG.values(), ids=WRONG.keys())
def test_a_state_that_is_none_of_ours_is_refused_in_one_line(
    sync: Sync, wrong: dict[str, Any], says: str
) -> None:
    run = sync(config("http://127.0.0.1:9"), state=wrong)
    assert run.code == 1
    assert says in run.last_line
    assert "the state cannot be used" in run.last_line
    assert "Traceback" not in run.log


@pytest.mark.parametrize("empty", [{}, {"bookmarks": {}}, {"bookmarks": {"categories": {}}}])
def test_an_empty_state_is_none(sync: Sync, empty: dict[str, Any]) -> None:
    with serve(account(DAYS)) as server:
        run = sync(config(server.url, end_date="2026-01-02"), state=empty)
    assert (run.code, len(run.records())) == (0, 4)


def test_a_run_from_any_state_that_was_written_completes_the_data(sync: Sync) -> None:
    with serve(account(DAYS)) as server:
        settings = config(server.url, end_date="2026-01-06", lookback_days=1)
        whole = sync(settings)
        for number, written in enumerate(whole.states):
            before = whole.messages[: _nth_state(whole.messages, number)]
            kept = [
                m["record"]
                for m in before
                if m.get("stream") == "usage_records_daily" and "record" in m
            ]
            again = sync(settings, state=written)
            keys = {_key(r) for r in [*kept, *again.records()]}
            assert keys == {_key(r) for r in whole.records()}
            assert again.bookmarks[-1] == "2026-01-06"


def _nth_state(messages: list[dict[str, Any]], number: int) -> int:
    return [i for i, message in enumerate(messages) if message["type"] == "STATE"][number]


def _key(row: dict[str, Any]) -> tuple[str, str]:
    return row["category"], row["start_date"]


@given(st.lists(st.dates(date(1000, 1, 1), date(2999, 12, 31)), min_size=1))
def test_a_bookmark_never_moves_back(days: list[date]) -> None:
    bookmarks: dict[str, Any] = {}
    for day in days:
        state.advance(bookmarks, day)
    assert state.bookmark(bookmarks) == max(days)


def part(account_sid: str, *, includes: bool, **fields: Any) -> dict[str, Any]:
    return {"context": {"account_sid": account_sid, "includes_subaccounts": includes}, **fields}


LAST = date(2026, 1, 31)


def test_taking_over_leaves_one_partition_that_reads_all_days_again() -> None:
    mine = part("AC1", includes=False, used_categories=["b"], first_day="2026-01-05")
    mine["replication_key_value"] = "2026-01-06"
    other = part("AC1", includes=True, used_categories=["a"], first_day="2026-01-02")
    other["replication_key_value"] = "2026-02-07"
    partitions = [part("AC2", includes=True, first_day="2025-01-01"), other, mine]
    state.take_over(mine, partitions, LAST)
    assert partitions == [
        part("AC2", includes=True, first_day="2025-01-01"),
        part(
            "AC1",
            includes=False,
            used_categories=["a", "b"],
            first_day="2026-01-02",
            catch_up_to="2026-02-07",
        ),
    ]


def test_what_never_loaded_a_row_is_not_taken_over() -> None:
    mine = part("AC1", includes=False, replication_key_value="2026-01-06")
    partitions = [mine, part("AC1", includes=True)]
    state.take_over(mine, partitions, LAST)
    assert partitions == [part("AC1", includes=False, replication_key_value="2026-01-06")]


def test_the_last_day_of_a_change_is_the_latest_that_may_have_been_loaded() -> None:
    mine = part("AC1", includes=False, catch_up_to="2026-03-01")
    state.take_over(mine, [mine, part("AC1", includes=True, first_day="2026-01-02")], LAST)
    assert mine["catch_up_to"] == "2026-03-01"
    again = part("AC1", includes=False)
    state.take_over(again, [again, part("AC1", includes=True, first_day="2026-01-02")], LAST)
    assert again["catch_up_to"] == "2026-01-31"


def test_a_change_is_complete_with_its_last_day() -> None:
    mine = part("AC1", includes=False, catch_up_to="2026-01-31")
    state.advance(mine, date(2026, 1, 30))
    assert state.holds_subaccounts([mine], "AC1")
    state.advance(mine, LAST)
    assert not state.holds_subaccounts([mine], "AC1")
    assert not state.holds_subaccounts([part("AC1", includes=True, first_day="2026-01-01")], "AC2")


def test_rows_are_withdrawn_once_and_only_as_far_as_was_said() -> None:
    mine = part("AC2", includes=False, main_account_sid="AC1", first_day="2026-01-01")
    mine["replication_key_value"] = "2026-02-03"
    assert state.to_withdraw([mine], "AC1") == [mine]
    assert state.to_withdraw([mine], "AC9") == []
    state.begin_to_withdraw(mine)
    assert state.bookmark(mine) is None  # cut off here, all days are read again if need be
    assert state.to_withdraw([mine], "AC1") == [mine]
    state.withdraw(mine, LAST)
    assert state.to_withdraw([mine], "AC1") == [mine]  # the days after the last one
    state.begin_to_withdraw(mine)
    state.withdraw(mine, date(2026, 2, 3))
    assert state.to_withdraw([mine], "AC1") == []
    assert state.begin(mine, date(2026, 1, 5))
    assert state.to_withdraw([mine], "AC1") == [mine]
    assert mine["first_day"] == "2026-01-01"
    assert not state.begin(mine, date(2026, 1, 5))
    assert state.to_withdraw([part("AC3", includes=False, main_account_sid="AC1")], "AC1") == []


def test_a_company_begins_with_the_first_day_of_any_of_its_accounts() -> None:
    partitions = [
        part("AC1", includes=False, first_day="2026-01-03"),
        part("AC2", includes=False, main_account_sid="AC1", first_day="2026-01-02"),
        part("AC3", includes=False, main_account_sid="AC1"),
        part("AC9", includes=True, first_day="2025-01-01"),
    ]
    assert state.since(partitions, "AC1") == date(2026, 1, 2)
    assert state.since([], "AC1") is None
