"""An endpoint that only comparisons need and that never answers: no row is lost, nor hours."""

from __future__ import annotations

import logging
from datetime import date, datetime
from functools import partial
from threading import Barrier
from typing import Any

import pytest

from sandbox import MAIN_SID, Company, Request, Server, connections
from sandbox.faults import error
from tap_twilio_usage.sync.endpoints import Endpoints, Unanswered
from tap_twilio_usage.sync.state import UsageState
from tap_twilio_usage.twilio.errors import NotFound, RetriesExhausted
from tap_twilio_usage.twilio.periods import DAILY, MONTHLY, Window
from tap_twilio_usage.twilio.threads import spawn
from tests.conftest import Run, Sync, nightly
from tests.faults.conftest import SPEED, TODAY, Lab, catalog, table, warned
from tests.forked import Overrides
from tests.test_all_accounts import Account, said, with_closed
from tests.test_pipeline import day, only, pipeline

STREAMS = ("usage_records_daily", "usage_records_monthly")
TRIES = 8
NONE, ALL, SUBACCOUNT = "?", "/", "AC00000000000000000000000000000002"  # in the path of a request
SAID = "comparisons do not ask {} again in this run; a later run tries again: "
SERVER_ERROR = error(500, 20500, "Internal Server Error")
NOON = datetime(TODAY.year, TODAY.month, TODAY.day, 12).astimezone()
DAYS = Window(day(0), day(9))


@pytest.fixture
def lab(sync: Sync) -> Lab:
    return Lab(sync, Company(since=date(2025, 6, 1), today=TODAY, subaccounts=4, categories=1))


def asks_for_totals(request: Request, resource: str) -> bool:
    return f"/{resource}.json" in request.path and "Category" in request.query


def load(lab: Lab, resource: str, *, fails: str, state: Any = None) -> tuple[Run, list[str]]:
    """Load two streams of each account; return the paths of the requests for totals, too.

    Those whose path contains `fails` fail.
    """
    asked: list[str] = []

    def plan(request: Request) -> Any:
        if not asks_for_totals(request, resource):
            return None
        asked.append(request.path)
        return SERVER_ERROR if fails in request.path else None

    settings = {"subaccounts": "separate", "start_date": "2025-09-28", "end_date": f"{TODAY}"}
    overrides = Overrides(SPEED, now=NOON)
    return lab.with_faults(plan, *STREAMS, state=state, overrides=overrides, **settings), asked


def compared(run: Run) -> tuple[list[bool], list[bool]]:
    """Return whether the days of each account were compared, and the list by each stream."""
    states = run.states[-1]["bookmarks"]
    return (
        ["before" in each.get("history", {}) for each in states[STREAMS[0]]["partitions"]],
        [MAIN_SID in states[stream].get("compared", {}) for stream in STREAMS],
    )


@pytest.mark.parametrize("resource", [nightly("Monthly"), "Daily"])
def test_two_accounts_ask_it_and_all_rows_are_loaded(lab: Lab, resource: str) -> None:
    healthy, asked = load(lab, resource, fails=NONE)
    assert len({*asked}) >= 4
    run, tried = load(lab, resource, fails=ALL)
    # While the second account is compared, a later one may be asked whether it has any usage.
    assert len(tried) in {2 * TRIES, 3 * TRIES}
    assert (run.code, table(run)) == (0, table(healthy))
    named = f"Usage/Records/{resource}.json?Category=totalprice"
    assert warned(run).count(SAID.format(named)) == 1
    assert run.log.count("cannot be") <= 1
    accounts, lists = compared(run)
    assert not any(accounts)
    assert lists == [resource == "Monthly"] * 2  # the list is compared by days
    later, _ = load(lab, resource, fails=NONE, state=run.states[-1])
    assert later.code == 0
    assert compared(later) == compared(healthy)


@pytest.mark.parametrize("resource", [nightly("Monthly"), "Daily"])
def test_one_account_that_does_not_answer_does_not_hinder_the_others(
    lab: Lab, resource: str
) -> None:
    healthy, _ = load(lab, resource, fails=NONE)
    run, tried = load(lab, resource, fails=SUBACCOUNT)
    assert sum(SUBACCOUNT in path for path in tried) == TRIES  # of two streams
    assert (run.code, table(run)) == (0, table(healthy))
    assert "comparisons do not ask" not in run.log
    unchecked = "whether Twilio lists all accounts cannot be checked"
    assert warned(run).count(unchecked) == (2 if resource == "Daily" else 0)
    accounts, lists = compared(run)
    assert accounts[:1] + accounts[2:] == compared(healthy)[0][:1] + compared(healthy)[0][2:]
    assert lists == [resource == "Monthly"] * 2
    if resource == "Monthly":
        assert not accounts[1]
        assert f"{SUBACCOUNT}: its days cannot be compared with Twilio's AllTime" in run.log


def test_subaccounts_without_a_connection_are_looked_for_by_the_next_run(sync: Sync) -> None:
    company = Company(today=TODAY, since=date(2025, 8, 1), categories=1, subaccounts=2)
    fails = True

    def plan(request: Request) -> Any:
        return SERVER_ERROR if fails and asks_for_totals(request, "Monthly") else None

    def load(state: Any = None) -> Run:
        config = {
            "connections": connections([company]),
            "start_date": f"{TODAY}",
            "subaccounts": "separate",
            "api_url": server.url,
            "oauth_token_url": f"{server.url}/v2/token",
        }
        overrides = Overrides(SPEED, now=NOON)
        run = sync(config, catalog=catalog(STREAMS[0]), state=state, overrides=overrides)
        assert run.code == 0
        return run

    with Server(company, plan=plan) as server:
        run = load()
        fails = False
        later = load(run.states[-1])
    # Of accounts that ask at the same time, the first one may have its own error.
    named = "Usage/Records/Monthly.json?Category=totalprice"
    unchecked = "whether all subaccounts have a connection cannot be checked"
    assert SAID.format(named) in run.log or unchecked in run.log
    looked = [each.states[-1]["bookmarks"][STREAMS[0]] for each in (run, later)]
    assert ["connections_compared" in each for each in looked] == [False, True]


def test_an_excluded_account_that_does_not_answer_leaves_the_list_unchecked(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One that Twilio refuses is left out of the comparison."""
    main, together = with_closed(100)
    excluded = Account(only(range(101), {"totalprice": "0", "sms": "0"}), sid="AC2")
    state, options = UsageState(), {"start_date": day(0), "listed": [main, excluded]}
    excluded.error = RetriesExhausted("gave up")
    unchecked = "whether Twilio lists all accounts cannot be checked"
    assert unchecked in said(caplog, (main, together), state, 100, **options)
    assert state.compared == {}
    excluded.error = None
    assert " is 77 more " in said(caplog, (main, together), state, 100, **options)


def test_two_accounts_ask_when_they_were_created(caplog: pytest.LogCaptureFixture) -> None:
    asked: list[str] = []

    class Silent(Account):
        def fetch_date_created(self) -> date | None:
            asked.append(self.sid)
            raise RetriesExhausted("gave up")

    state = UsageState()
    for night, kind in ((20, Account), (21, Silent)):
        accounts = [kind(only(range(night + 1)), sid=f"AC{number}") for number in (1, 2, 3)]
        options: dict[str, Any] = {"separates_accounts": True, "start_date": day(0)}
        run = pipeline(*accounts, state=state, today=day(night), saved=[], **options)
        for context in run.begin():
            assert [*run.rows(context)]
        for partition in state.partitions:
            assert partition.history
            partition.history.before = None  # as a longer lookback does
    assert asked == ["AC1", "AC2"]
    assert caplog.text.count(SAID.format("Accounts/{Sid}.json")) == 1


def test_accounts_that_ask_at_the_same_time_are_one_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    endpoints, both = Endpoints(logging.getLogger("endpoints")), Barrier(2)

    class Broken(Account):
        def fetch_date_created(self) -> date | None:
            both.wait(60)
            raise RetriesExhausted("gave up")

    accounts = [Broken({}, sid=sid) for sid in ("AC1", "AC2")]
    answers = [spawn(partial(endpoints.fetch_date_created, each)) for each in accounts]
    errors = {type(each.exception(60)) for each in answers}
    assert errors <= {RetriesExhausted, Unanswered}
    with pytest.raises(Unanswered):
        endpoints.fetch_date_created(accounts[0])
    assert caplog.text.count("comparisons do not ask") == 1


def test_each_endpoint_is_given_up_by_itself(caplog: pytest.LogCaptureFixture) -> None:
    endpoints, asked = Endpoints(logging.getLogger("endpoints")), list[str]()

    class Broken(Account):
        def fetch_date_created(self) -> date | None:
            asked.append("created")
            raise RetriesExhausted("gave up")

        def fetch_totals(self, granularity: Any, window: Window, *, at_once: bool = False) -> Any:
            asked.append(granularity.name)
            raise NotFound("no data") if granularity is DAILY else RetriesExhausted("gave up")

    for sid in ("AC1", "AC1", "AC2", "AC3"):
        account = Broken({}, sid=sid)
        error = RetriesExhausted if sid == "AC1" else Unanswered
        with pytest.raises(error):
            endpoints.fetch_date_created(account)
        with pytest.raises(error):
            endpoints.fetch_totals(account, MONTHLY, DAYS)
        with pytest.raises(NotFound):
            endpoints.fetch_totals(account, DAILY, DAYS)
    assert sorted(asked) == [*["created"] * 2, *["daily"] * 4, *["monthly"] * 2]
    assert caplog.text.count("comparisons do not ask") == 2
    assert SAID.format("Accounts/{Sid}.json") in caplog.text


def test_an_account_that_answers_ends_the_row_of_those_that_do_not() -> None:
    endpoints = Endpoints(logging.getLogger("endpoints"))

    class Second(Account):
        def fetch_totals(self, granularity: Any, window: Window, *, at_once: bool = False) -> Any:
            raise NotFound("no data") if self.sid == "AC2" else RetriesExhausted("gave up")

    for sid, expected in (("AC1", RetriesExhausted), ("AC2", NotFound), ("AC3", RetriesExhausted)):
        with pytest.raises(expected):
            endpoints.fetch_totals(Second({}, sid=sid), DAILY, DAYS)
