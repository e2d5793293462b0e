"""`shard`: several workers read the accounts of one company."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox import AUTH_TOKEN, MAIN_SID, Company, Server
from tap_twilio_usage.config.settings import Shard
from tests.conftest import Run, Sync
from tests.faults.conftest import catalog as of_streams

FIRST, LAST = date(2025, 9, 29), date(2025, 9, 30)
SHARDS = [f"{number}/4" for number in range(1, 5)]


def settings(server: Server, **more: Any) -> dict[str, Any]:
    return {
        "account_sid": MAIN_SID,
        "auth_token": AUTH_TOKEN,
        "subaccounts": "separate",
        "start_date": f"{FIRST}",
        "end_date": f"{LAST}",
        "focus": True,
        "api_url": server.url,
        **more,
    }


def rows(*runs: Run) -> dict[str, list[tuple[Any, ...]]]:
    """Return the sorted rows of each stream, without `as_of`."""
    return {
        stream: sorted(
            tuple(f"{value}" for field, value in row.items() if field not in {"as_of", "x_AsOf"})
            for run in runs
            for row in run.records(stream)
        )
        for stream in ("usage_records_daily", "focus_cost_and_usage")
    }


def days_asked(server: Server) -> list[str]:
    """Return the paths of the days to load; those of comparisons begin with a month."""
    return [each.path for each in server.requests if each.query.get("StartDate") == f"{FIRST}"]


def test_four_shards_of_twelve_accounts_load_the_rows_of_one_run(sync: Sync) -> None:
    company = Company(since=date(2025, 1, 1), today=LAST, subaccounts=11, categories=1)
    with Server(company) as server:
        whole = sync(settings(server))
        before = days_asked(server)
        parts = [sync(settings(server, shard=shard)) for shard in SHARDS]
        after = days_asked(server)
    assert {run.code for run in (whole, *parts)} == {0}
    assert rows(*parts) == rows(whole)
    assert all(run.records() for run in parts)
    assert len(before) == len({*before})
    assert sorted(after) == sorted([*before, *before])


def test_a_shard_without_accounts_is_complete(sync: Sync) -> None:
    company = Company(since=date(2025, 1, 1), today=LAST, subaccounts=0, categories=1)
    streams = ("usage_records_daily", "usage_triggers", "categories")
    with Server(company) as server:
        catalog = of_streams(*streams)
        runs = [sync(settings(server, shard=shard), catalog=catalog) for shard in SHARDS]
        empty = runs[0]
        again = sync(settings(server, shard=SHARDS[0]), state=empty.states[-1])
    assert {run.code for run in (*runs, again)} == {0}
    assert [bool(run.records()) for run in runs] == [False, False, False, True]
    assert [bool(run.records("usage_triggers")) for run in runs] == [False, False, False, True]


def test_accounts_in_account_sids_are_sharded_and_a_missing_one_fails_once(sync: Sync) -> None:
    company = Company(since=date(2025, 1, 1), today=LAST, subaccounts=3, categories=1)
    gone = "AC" + "f" * 32
    with Server(company) as server:
        chosen = [*(account.sid for account in company.accounts()), gone]
        runs = [sync(settings(server, shard=shard, account_sids=chosen)) for shard in SHARDS]
        whole = sync(settings(server))
    assert rows(*runs) == rows(whole)
    assert sorted(run.code for run in runs) == [0, 0, 0, 1]


@given(st.from_regex(r"AC[0-9a-f]{32}", fullmatch=True), st.integers(1, 64))
def test_each_account_is_in_exactly_one_shard(sid: str, of_all: int) -> None:
    (shard,) = (s for n in range(1, of_all + 1) if (s := Shard(n, of_all)).has(sid))
    assert shard.has(sid.upper())


def test_an_account_stays_in_its_shard_in_all_versions() -> None:
    """Its bookmark is in the state of that worker."""
    assert Shard(8, 8).has(MAIN_SID)


@pytest.mark.parametrize("text", ["", "2", "0/4", "5/4", "1/0", "a/b", "1/4 ", "-1/4"])
def test_an_invalid_shard_is_refused(sync: Sync, text: str) -> None:
    run = sync({"account_sid": MAIN_SID, "subaccounts": "separate", "shard": text}, "--test")
    assert run.code == 1
    assert (f"shard: {text!r} is not a valid shard" in run.log) == bool(text)


def test_a_shard_requires_separate_accounts(sync: Sync) -> None:
    run = sync({"account_sid": MAIN_SID, "shard": "1/2"}, "--test")
    assert run.code == 1
    assert "shard: requires subaccounts: separate; set that, or remove shard" in run.log
