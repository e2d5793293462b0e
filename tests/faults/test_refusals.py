"""Cases 10 to 12: credentials that Twilio refuses, for all accounts or for some."""

from __future__ import annotations

import re
import time
from collections import Counter
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from sandbox import API_KEY_SECRET, API_KEY_SID, BILLING_GROUP_IDS, MAIN_SID, Reply, Request, Server
from sandbox.faults import error
from tap_twilio_usage.twilio.limits import Limits
from tests.conftest import Run, nightly_except
from tests.faults.conftest import (
    BILLING,
    DATED,
    STREAMS,
    TYPICAL,
    TYPICAL_BY_DAY,
    USAGE,
    Fault,
    Lab,
    Plan,
    at_first,
    of,
    of_streams,
    spread,
    table,
    warned,
)
from tests.waiting import until

UNAUTHORIZED = error(401, 20003, "Authenticate")
UNAVAILABLE = error(503, 20503, "Service Unavailable")
FORBIDDEN = error(403, 20003, "Forbidden")
REFUSALS = {"401": UNAUTHORIZED, "403": FORBIDDEN}
SUBACCOUNT = f"AC{2:032d}"
OF_ACCOUNTS = [*USAGE, "usage_triggers", "categories"]


def setting_of(stream: str) -> str:
    return "client_id and client_secret" if stream in BILLING else "account_sid and auth_token"


# 10: all requests.


@pytest.mark.parametrize(("stream", "status"), list(zip(STREAMS, cycle(REFUSALS), strict=False)))
def test_a_refusal_at_the_start_is_not_retried_and_names_the_settings(
    lab: Lab, stream: str, status: str
) -> None:
    with Server(lab.company, plan=lambda _: REFUSALS[status]) as server:
        run = lab.run(server.url, stream)
    assert run.code == 1
    assert f"Twilio refused the credentials ({status}: code 20003, " in run.last_line
    assert f"; check {setting_of(stream)}" in run.last_line
    assert len(server.requests) <= 2  # in parallel: the account's history and its creation date
    assert table(run) == {}


@pytest.mark.parametrize(("stream", "status"), list(zip(DATED, cycle(REFUSALS), strict=False)))
def test_a_refusal_during_a_run_is_retried_and_loses_no_row(
    lab: Lab, healthy: Run, stream: str, status: str
) -> None:
    whole = of_streams(healthy, stream)
    after = 4 if stream.endswith("daily") else 1
    plan = of(stream, REFUSALS[status], after=after)
    run = lab.with_faults(plan, stream, page_size=50, max_concurrent_requests=1)
    assert run.code == 1
    assert f"Twilio refused the credentials ({status}" in run.last_line
    assert 3 <= run.log.count("; try ") <= 6  # three for each of two billing groups
    assert table(run).items() < whole.items()
    assert lab.resumed(run, stream) == whole


def test_a_temporary_refusal_loses_no_row(lab: Lab, healthy: Run) -> None:
    """All but the first request, before which nothing shows that the credentials are valid."""
    refused = at_first(UNAUTHORIZED, FORBIDDEN)
    proven: set[str] = set()

    def plan(request: Any) -> Fault | None:
        api = request.path[:5]
        if api in proven and not request.path.endswith(f"{MAIN_SID}.json"):
            return refused(request)
        proven.add(api)
        return None

    run = lab.with_faults(plan)
    assert run.code == 0
    assert run.log.count("; try 3 after ") > len(STREAMS)
    assert table(run) == table(healthy)


# 11: some accounts or billing groups.

IN_ONE = {**REFUSALS, "404": error(404, 20404, "The requested resource was not found")}


def for_the_subaccount(fault: Fault, *, only: bool = True) -> Plan:
    """Return a plan that applies the fault to requests for the subaccount, or for each account."""

    def plan(request: Any) -> Fault | None:
        sid = SUBACCOUNT if only else "AC"
        return fault if f"/Accounts/{sid}" in request.path else None

    return plan


@pytest.mark.parametrize(("stream", "status"), spread(OF_ACCOUNTS, IN_ONE))
def test_the_other_accounts_are_complete_if_a_subaccount_is_refused(
    lab: Lab, healthy_separate: Run, stream: str, status: str
) -> None:
    whole = of_streams(healthy_separate, stream)
    run = lab.with_faults(for_the_subaccount(IN_ONE[status]), stream, subaccounts="separate")
    assert run.code == 1
    assert (
        f"{SUBACCOUNT} failed and keeps its bookmark; continuing with the others: {stream}: "
        in (warned(run))
    )
    assert (
        f"some accounts failed; everything else is complete: {SUBACCOUNT}: {stream}: "
        in run.last_line
    )
    assert run.states
    if stream == "categories":
        assert table(run).keys() <= whole.keys()
    else:
        assert table(run) == {k: v for k, v in whole.items() if v["account_sid"] != SUBACCOUNT}
    assert bookmarks(run, stream).get(SUBACCOUNT) is None
    assert lab.resumed(run, stream, subaccounts="separate") == whole


def bookmarks(run: Run, stream: str) -> dict[str, str | None]:
    partitions = run.states[-1]["bookmarks"].get(stream, {}).get("partitions", [])
    return {p["context"]["account_sid"]: p.get("replication_key_value") for p in partitions}


@pytest.mark.parametrize("stream", nightly_except(TYPICAL, OF_ACCOUNTS))
def test_a_run_in_which_all_accounts_are_refused_fails(lab: Lab, stream: str) -> None:
    plan = for_the_subaccount(FORBIDDEN, only=False)
    run = lab.with_faults(plan, stream, subaccounts="separate")
    assert run.code == 1
    assert "some accounts failed" in run.last_line
    assert re.search(
        "complete: AC.*1, AC.*2, AC.*3: .*Twilio refused the credentials", run.last_line
    )
    assert table(run) == {} or stream == "categories"  # the shipped table needs no account


@pytest.mark.parametrize("stream", nightly_except(TYPICAL, BILLING))
@pytest.mark.parametrize("status", IN_ONE)
def test_the_other_billing_group_is_complete_if_one_is_refused(
    lab: Lab, healthy: Run, stream: str, status: str
) -> None:
    refused, other = BILLING_GROUP_IDS

    def plan(request: Any) -> Fault | None:
        return IN_ONE[status] if refused in request.path else None

    run = lab.with_faults(plan, stream)
    assert run.code == 1
    assert (
        f"some billing groups failed; everything else is complete: billing group 1: {stream}: "
        in (run.last_line)
    )
    whole = of_streams(healthy, stream)
    assert table(run) == {k: v for k, v in whole.items() if v["billing_group_id"] == other}
    assert lab.resumed(run, stream) == whole


# 12: credentials that do not fit (the whole matrix is in test_credentials.py).


@pytest.mark.parametrize(
    "stream", nightly_except(TYPICAL, [*USAGE, "usage_triggers", "categories", "accounts"])
)
def test_an_api_key_cannot_read_accounts_one_by_one(lab: Lab, stream: str) -> None:
    key: dict[str, Any] = {
        "auth_token": "",
        "api_key_sid": API_KEY_SID,
        "api_key_secret": API_KEY_SECRET,
    }
    with Server(lab.company) as server:
        run = lab.run(server.url, stream, subaccounts="separate", **key)
    assert run.code == 1
    assert run.last_line.endswith(
        f"{stream}: an API key reads the main account only: set auth_token (TWILIO_AUTH_TOKEN), "
        "or subaccounts to rolled_up, or name each account in connections"
    )
    assert server.requests == []
    assert run.out == ""


@pytest.mark.parametrize("stream", TYPICAL_BY_DAY)
def test_missing_credentials_are_an_error_before_the_first_request(lab: Lab, stream: str) -> None:
    none: dict[str, Any] = {"client_secret": ""} if stream in BILLING else {"auth_token": ""}
    with Server(lab.company) as server:
        run = lab.run(server.url, stream, **none)
    assert run.code == 1
    assert f"| {stream}: " in run.last_line
    assert "client_secret is missing" in run.last_line or "no credentials" in run.last_line
    assert server.requests == []
    assert run.out == ""


def test_accounts_that_failed_in_advance_are_requested_again(
    lab: Lab, healthy_separate: Run, tmp_path: Path
) -> None:
    """An outage that has ended must not fail the accounts that were requested in advance."""
    stream, tries = "usage_records_daily", Counter[str]()
    whole = of_streams(healthy_separate, stream)
    accounts = {key[1] for key in whole}
    assert len(accounts) >= 3

    def is_noticed() -> bool:
        return (tmp_path / "tap.log").read_text().count(" 503 ") >= (
            len(accounts) - 1
        ) * Limits.tries

    def held(reply: Reply) -> Reply:
        until(is_noticed)
        time.sleep(0.3)  # from the line to the failure, of which none is said
        return reply

    def plan(request: Request) -> Fault | None:
        if MAIN_SID in request.path:
            return held if request.path.endswith("Daily.json") else None
        if not request.path.endswith("AllTime.json"):
            return None
        tries[request.path] += 1
        return UNAVAILABLE if tries[request.path] <= Limits.tries else None

    run = lab.with_faults(plan, stream, subaccounts="separate")
    assert run.code == 0
    assert table(run) == whole
    assert lab.resumed(run, stream, subaccounts="separate") == whole
