"""Which credentials can read which stream: said before the first request, and by --test."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import chain, combinations
from typing import Any, NamedTuple

import pytest

from sandbox import (
    API_KEY_SECRET,
    API_KEY_SID,
    AUTH_TOKEN,
    BILLING_GROUP_IDS,
    CLIENT_ID,
    CLIENT_SECRET,
    LEGACY_BILLING_GROUP_ID,
    MAIN_SID,
    Company,
    Server,
)
from sandbox.errors import ApiError as SandboxError
from tap_twilio_usage.logs.redaction import Redactor
from tests.conftest import Run, Sync
from tests.faults.conftest import catalog as of_streams
from tests.forked import Overrides

TODAY = date(2025, 10, 1)
AUTH, KEY, OAUTH = "an Auth Token", "an API key", "an OAuth app"
IN_A_HURRY = Overrides(speed=500)
CREDENTIALS: dict[str, dict[str, Any]] = {
    AUTH: {"account_sid": MAIN_SID, "auth_token": AUTH_TOKEN},
    KEY: {
        "account_sid": MAIN_SID,
        "api_key_sid": API_KEY_SID,
        "api_key_secret": API_KEY_SECRET,
    },
    OAUTH: {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "billing_group_ids": list(BILLING_GROUP_IDS),
    },
}
MAIN, SUBACCOUNTS, BILLING = {AUTH, KEY}, {AUTH}, {OAUTH}


class Case(NamedTuple):
    """A stream and a mode, credentials of which one will do, and what is said without."""

    stream: str
    subaccounts: str
    enough: set[str]
    says: str


CASES = [
    Case("usage_records_daily", "rolled_up", MAIN, "account_sid is missing"),
    Case("usage_records_daily", "separate", SUBACCOUNTS, "an API key reads the main account only"),
    Case("categories", "excluded", MAIN, "account_sid is missing"),
    Case("usage_triggers", "rolled_up", MAIN, "account_sid is missing"),
    Case("usage_triggers", "separate", SUBACCOUNTS, "an API key reads the main account only"),
    Case("balance", "separate", MAIN, "account_sid is missing"),
    Case("accounts", "rolled_up", SUBACCOUNTS, "an API key reads the main account only"),
    Case("billing_group_records", "rolled_up", BILLING, "billing_group_ids is empty"),
]
GIVEN = list(chain.from_iterable(combinations(CREDENTIALS, n) for n in (1, 2, 3)))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(Company(today=TODAY, since=date(2025, 8, 1), categories=60)) as running:
        yield running


def settings(server: Server, *given: str, **more: Any) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for name in given:
        merged |= CREDENTIALS[name]
    return {
        **merged,
        "api_url": server.url,
        "billing_api_url": server.url,
        "oauth_token_url": f"{server.url}/v2/token",
        "start_date": f"{TODAY}",
        "end_date": f"{TODAY}",
        **more,
    }


def load(sync: Sync, server: Server, stream: str, config: dict[str, Any]) -> Run:
    server.requests.clear()
    return sync(config, catalog=of_streams(stream))


@pytest.mark.parametrize("given", GIVEN, ids=" and ".join)
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.stream} {case.subaccounts}")
def test_a_stream_works_or_says_in_one_line_why_not(
    sync: Sync, server: Server, given: tuple[str, ...], case: Case
) -> None:
    stream = case.stream
    run = load(sync, server, stream, settings(server, *given, subaccounts=case.subaccounts))
    if case.enough & set(given):
        assert run.code == 0
        assert run.records(stream)
    else:
        assert run.code == 1
        assert not server.requests
        lines = [line for line in run.log.splitlines() if " ERROR " in line]
        assert len(lines) == 1
        expected = "account_sid is missing" if given == (OAUTH,) else case.says
        assert f"{stream}: {expected}" in lines[0]
    assert "Traceback" not in run.log


INCOMPLETE = {
    "no OAuth for billing groups": (
        {**CREDENTIALS[AUTH], "billing_group_ids": ["commerce_billingprofile_1"]},
        ["billing_group_records: client_id and client_secret are missing: billing groups need"],
    ),
    "half an OAuth app": (
        {**CREDENTIALS[OAUTH], "client_secret": ""},
        ["billing_group_records: client_secret is missing: billing groups need an OAuth app"],
    ),
    "both kinds incomplete": (
        {**CREDENTIALS[KEY], "api_key_secret": "", **CREDENTIALS[OAUTH], "client_id": ""},
        [
            "billing_group_records: client_id is missing",
            (
                "categories, usage_reconciliation, usage_records_daily: no credentials "
                "(api_key_secret is missing)"
            ),
        ],
    ),
    "nothing at all": (
        {},
        ["categories, usage_reconciliation, usage_records_daily: account_sid is missing"],
    ),
}


@pytest.mark.parametrize(("config", "says"), INCOMPLETE.values(), ids=INCOMPLETE.keys())
def test_incomplete_credentials_are_refused_before_the_first_request(
    sync: Sync, server: Server, config: dict[str, Any], says: list[str]
) -> None:
    server.requests.clear()
    run = sync({**settings(server), **config})
    assert run.code == 1
    assert not server.requests
    lines = [line for line in run.log.splitlines() if " ERROR " in line]
    assert len(lines) == len(says)
    assert all(wanted in line for wanted, line in zip(says, lines, strict=True))


@pytest.mark.parametrize(
    ("given", "wrong", "to_check"),
    [
        (AUTH, "auth_token", "account_sid and auth_token"),
        (
            KEY,
            "api_key_secret",
            (
                "account_sid, api_key_sid and api_key_secret, and that a Restricted key has the "
                "permission /twilio/billing/usage/read"
            ),
        ),
    ],
)
def test_what_is_refused_is_named_by_the_settings_that_were_used(
    sync: Sync, server: Server, given: str, wrong: str, to_check: str
) -> None:
    run = sync(settings(server, given, **{wrong: "wrong"}))
    assert run.code == 1
    assert run.last_line.endswith(f"; check {to_check}")


def test_half_an_oauth_app_is_no_matter_without_billing_groups(sync: Sync, server: Server) -> None:
    assert sync(settings(server, AUTH, client_id=CLIENT_ID)).code == 0


OF_A_KEY = {
    *("balance", "categories", "usage_reconciliation", "usage_triggers", "usage_records_daily"),
}
READABLE = {
    AUTH: {"accounts", *OF_A_KEY},
    KEY: OF_A_KEY,
    OAUTH: {"billing_group_records", "billing_group_records_monthly"},
}


@pytest.mark.parametrize("given", CREDENTIALS)
def test_test_says_of_each_stream_whether_it_can_be_read(
    sync: Sync, server: Server, given: str
) -> None:
    config = settings(server, given)
    streams = {s["tap_stream_id"] for s in sync(config, "--discover").catalog["streams"]}
    run = sync(config, "--test")
    assert run.code == 0
    readable = {s for s in streams if f" {s} can be read" in run.log}
    unreadable = {s for s in streams if f" {s} cannot be read, and is not selected: " in run.log}
    assert readable | unreadable == streams
    others = [line for line in run.log.splitlines() if "Twilio takes the parameters" not in line]
    assert len(others) <= len(streams) + 1
    assert {s for s in readable if not s.startswith("usage_records_")} | {
        s for s in readable if s == "usage_records_daily"
    } == READABLE[given]
    assert "Traceback" not in run.log
    assert {message["stream"] for message in run.messages if message["type"] == "RECORD"} <= (
        readable
    )


def test_test_fails_where_a_selected_stream_cannot_be_read(sync: Sync, server: Server) -> None:
    run = sync(settings(server, KEY, subaccounts="separate"), "--test")
    assert run.code == 1
    assert "categories, usage_records_daily: an API key reads the main account only" in run.log
    wrong = sync(settings(server, AUTH, OAUTH, client_secret="another-one"), "--test")
    assert wrong.code == 1
    assert "usage_records_daily can be read" in wrong.log
    assert "billing_group_records: Twilio refused the credentials (401" in wrong.last_line


def test_test_reads_one_account_of_many(sync: Sync, server: Server) -> None:
    server.requests.clear()
    assert sync(settings(server, AUTH, subaccounts="separate"), "--test").code == 0
    asked = {request.path.split("/")[3] for request in server.requests if "Usage" in request.path}
    assert asked == {MAIN_SID}


def test_test_reads_every_billing_group(sync: Sync, server: Server) -> None:
    groups = [BILLING_GROUP_IDS[0], LEGACY_BILLING_GROUP_ID]
    run = sync(settings(server, OAUTH, billing_group_ids=groups), "--test")
    assert run.code == 1
    assert "billing group 2 cannot use this version of the API" in run.last_line


def test_test_ends_where_nothing_answers(sync: Sync) -> None:
    config = {**CREDENTIALS[AUTH], "api_url": "http://127.0.0.1:1"}
    run = sync(config, "--test", overrides=IN_A_HURRY)
    assert run.code == 1
    assert run.last_line.endswith("connection failed: Connection refused; gave up after 8 tries")
    assert run.log.count("; try 2 ") == 1


class NoTriggers(Server):
    def get(self, path: str, query: dict[str, str], authorization: str | None) -> bytes:
        if path.endswith("Triggers.json"):
            raise SandboxError(503, 20001, "no")
        return super().get(path, query, authorization)


def test_test_reads_the_others_where_one_never_answers(sync: Sync) -> None:
    with NoTriggers(Company(today=TODAY, since=date(2025, 9, 1), categories=20)) as server:
        run = sync(settings(server, AUTH), "--test", overrides=IN_A_HURRY)
    assert run.code == 0
    assert "usage_triggers cannot be read, and is not selected: " in run.last_line


class NoAllTime(Server):
    def get(self, path: str, query: dict[str, str], authorization: str | None) -> bytes:
        if path.endswith("AllTime.json"):
            raise SandboxError(400, 20001, "no")
        return super().get(path, query, authorization)


@pytest.mark.parametrize("subaccounts", ["rolled_up", "separate"])
def test_test_says_that_categories_cannot_be_read(sync: Sync, subaccounts: str) -> None:
    with NoAllTime(Company(today=TODAY, since=date(2025, 8, 1), categories=60)) as server:
        run = sync(settings(server, AUTH, subaccounts=subaccounts), "--test")
    assert run.code == 1
    assert "categories can be read" not in run.log


def test_an_account_sid_alone_is_no_credential(sync: Sync, server: Server) -> None:
    run = sync(settings(server, OAUTH), env={"TWILIO_ACCOUNT_SID": MAIN_SID})
    assert run.code == 0
    assert run.schemas().keys() == {"billing_group_records"}


def test_of_secrets_that_begin_alike_no_part_is_left() -> None:
    secrets = [f"commerce_{'x' * n}" for n in range(3, 40)]
    assert Redactor(secrets).text(" ".join(secrets)) == " ".join(["***"] * len(secrets))
