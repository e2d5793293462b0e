"""The state: invalid ones are refused, and bookmarks never move back."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_twilio_usage.errors import TapError
from tap_twilio_usage.sync import subaccount_switch
from tap_twilio_usage.sync.read_state import read_state
from tap_twilio_usage.sync.state import AccountContext, AccountState
from tests.conftest import Sync, config
from tests.http_server import serve
from tests.test_usage_records import at, partition
from tests.twilio import SID, account, between

STATES = Path(__file__).with_name("states")
DAYS = dict.fromkeys(between("2026-01-01", "2026-01-06"), {"calls": "1", "totalprice": "1"})

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "bookmarks of another type": ({"bookmarks": []}, "bookmarks is not a JSON object"),
    "an unknown stream": ({"bookmarks": {"calls": {}}}, "'calls' is not a stream of this tap"),
    "a stream of another type": (
        {"bookmarks": {"categories": 5}},
        "categories is not a JSON object",
    ),
    "partitions of another type": (
        {"bookmarks": {"usage_records_daily": {"partitions": {}}}},
        "partitions of usage_records_daily is not a list",
    ),
    "a bookmark that belongs to no account": (
        {"bookmarks": {"usage_records_daily": {"replication_key_value": "2026-01-01"}}},
        "belongs to no account",
    ),
    "a partition without context": (
        {"bookmarks": {"usage_records_daily": {"partitions": [{}]}}},
        "the context of a partition of usage_records_daily is not a JSON object",
    ),
    "a context without account": (
        {"bookmarks": {"usage_records_daily": {"partitions": [{"context": {}}]}}},
        "belongs to no account",
    ),
    "a bookmark that is not a date": (
        at("soon"),
        f"replication_key_value of usage_records_daily for {SID} is not a valid date",
    ),
    "a bookmark that is a number": (
        partition(replication_key_value=20260101),
        "is not a valid date",
    ),
    "a bookmark in another form": (at("2026-1-1"), "is not a valid date"),
    **{
        f"{key} that is not a date": (partition(**{key: "soon"}), "is not a valid date")
        for key in ("first_day", "catch_up_to", "last_day", "withdrawn")
    },
    "older days of another type": (partition(older_days=[]), "is not a JSON object"),
    "older days without a date": (
        partition(older_days={"day": "2026-01-01"}),
        f"read_on is missing in older_days of usage_records_daily for {SID}",
    ),
    "billed days of another type": (
        partition(billed={"days": []}),
        f"days in billed of usage_records_daily for {SID} is not a JSON object",
    ),
    "a billed_up_to that is not a date": (
        {"bookmarks": {"usage_records_daily": {"billed_up_to": 5}}},
        "billed_up_to of usage_records_daily is not a valid date",
    ),
    "an account's name of another type": (partition(account_name=5), "is not text"),
    "used categories of another type": (
        partition(used_categories="calls"),
        "used_categories of usage_records_daily for",
    ),
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
def test_an_invalid_state_is_refused_in_one_line(
    sync: Sync, wrong: dict[str, Any], says: str
) -> None:
    run = sync(config("http://127.0.0.1:9"), state=wrong)
    assert run.code == 1
    assert says in run.last_line
    assert "the state cannot be used" in run.last_line
    assert "Traceback" not in run.log


@pytest.mark.parametrize("empty", [{}, {"bookmarks": {}}, {"bookmarks": {"categories": {}}}])
def test_an_empty_state_is_the_same_as_no_state(sync: Sync, empty: dict[str, Any]) -> None:
    with serve(account(DAYS)) as server:
        run = sync(config(server.url, end_date="2026-01-02"), state=empty)
    assert (run.code, len(run.records())) == (0, 4)


def test_a_run_from_any_written_state_completes_the_data(sync: Sync) -> None:
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
    state = part("AC1")
    for day in days:
        state.advance(day)
    assert state.bookmark == max(days)


@pytest.mark.parametrize("day", ["0999-12-31", "3000-01-01", "9999-12-31"])
def test_a_day_out_of_range_is_refused(day: str) -> None:
    with pytest.raises(TapError, match=f"replication_key_value .* {SID} is not a valid date"):
        read_state(at(day), ["usage_records_daily"])


@pytest.mark.parametrize("path", sorted(STATES.glob("*.json")), ids=lambda path: path.stem)
def test_a_state_of_version_0_1_0_is_read_and_written_unchanged(path: Path) -> None:
    """Version 0.1.0 wrote the files when it loaded the sandbox, one of each kind."""
    written = json.loads(path.read_text())
    state = read_state(written, written["bookmarks"])
    assert json.loads(state.message())["value"] == written


def part(account_sid: str, *, includes: bool = False, **fields: Any) -> AccountState:
    context = AccountContext(account_sid, includes_subaccounts=includes)
    return AccountState(context=context, **fields)


LAST = date(2026, 1, 31)


def test_take_over_leaves_one_partition_that_reads_all_days_again() -> None:
    mine = part("AC1", used_categories=["b"], first_day=date(2026, 1, 5), bookmark=date(2026, 1, 6))
    other = part(
        "AC1",
        includes=True,
        used_categories=["a"],
        first_day=date(2026, 1, 2),
        bookmark=date(2026, 2, 7),
    )
    partitions = [part("AC2", includes=True, first_day=date(2025, 1, 1)), other, mine]
    subaccount_switch.take_over(mine, partitions, LAST)
    assert partitions == [
        part("AC2", includes=True, first_day=date(2025, 1, 1)),
        part(
            "AC1",
            used_categories=["a", "b"],
            first_day=date(2026, 1, 2),
            catch_up_to=date(2026, 2, 7),
        ),
    ]


def test_a_state_that_never_loaded_a_row_is_not_taken_over() -> None:
    mine = part("AC1", bookmark=date(2026, 1, 6))
    partitions = [mine, part("AC1", includes=True)]
    subaccount_switch.take_over(mine, partitions, LAST)
    assert partitions == [part("AC1", bookmark=date(2026, 1, 6))]


def test_a_switch_ends_with_the_latest_day_that_may_have_been_loaded() -> None:
    mine = part("AC1", catch_up_to=date(2026, 3, 1))
    other = part("AC1", includes=True, first_day=date(2026, 1, 2))
    subaccount_switch.take_over(mine, [mine, other], LAST)
    assert mine.catch_up_to == date(2026, 3, 1)
    again = part("AC1")
    subaccount_switch.take_over(again, [again, other], LAST)
    assert again.catch_up_to == LAST


def test_a_switch_is_complete_with_its_last_day() -> None:
    mine = part("AC1", catch_up_to=LAST)
    mine.advance(date(2026, 1, 30))
    assert subaccount_switch.holds_subaccounts([mine], "AC1")
    mine.advance(LAST)
    assert not subaccount_switch.holds_subaccounts([mine], "AC1")
    another = part("AC1", includes=True, first_day=date(2026, 1, 1))
    assert not subaccount_switch.holds_subaccounts([another], "AC2")


def test_rows_are_withdrawn_once_and_up_to_the_recorded_day() -> None:
    first, last = date(2026, 1, 1), date(2026, 2, 3)
    mine = part("AC2", main_account_sid="AC1", first_day=first, bookmark=last)
    assert subaccount_switch.to_withdraw([mine], "AC1") == [mine]
    assert subaccount_switch.to_withdraw([mine], "AC9") == []
    subaccount_switch.begin_to_withdraw(mine)
    assert mine.bookmark is None  # so that a change back reads all days again
    assert subaccount_switch.to_withdraw([mine], "AC1") == [mine]
    mine.withdrawn = LAST
    assert subaccount_switch.to_withdraw([mine], "AC1") == [mine]  # the days after the last one
    subaccount_switch.begin_to_withdraw(mine)
    mine.withdrawn = last
    assert subaccount_switch.to_withdraw([mine], "AC1") == []
    assert subaccount_switch.to_withdraw([mine], "AC1", with_focus=True) == []
    unknown = {"with_focus": True, "focus_is_unknown": True}  # after an interrupted run
    assert subaccount_switch.to_withdraw([mine], "AC1", **unknown) == [mine]
    mine.begin(date(2026, 1, 5))
    assert subaccount_switch.to_withdraw([mine], "AC1") == [mine]
    assert mine.first_day == first
    assert subaccount_switch.to_withdraw([part("AC3", main_account_sid="AC1")], "AC1") == []


def test_the_first_day_of_a_company_is_the_first_day_of_any_account() -> None:
    states = [
        part("AC1", first_day=date(2026, 1, 3)),
        part("AC2", main_account_sid="AC1", first_day=date(2026, 1, 2)),
        part("AC3", main_account_sid="AC1"),
        part("AC9", includes=True, first_day=date(2025, 1, 1)),
    ]
    assert subaccount_switch.first_day_of_all(states, "AC1") == date(2026, 1, 2)
    assert subaccount_switch.first_day_of_all([], "AC1") is None


def test_the_main_account_of_a_subaccount_is_written_as_everywhere_else() -> None:
    sid = "AC" + "AB" * 16
    context = AccountContext(sid, includes_subaccounts=False)
    state = AccountState(context=context, main_account_sid=sid)
    assert state.context.account_sid == state.main_account_sid == sid[:2] + sid[2:].lower()
