"""`subaccounts: separate`, and changes between the three choices of `subaccounts`."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from sandbox import API_KEY_SECRET, API_KEY_SID, AUTH_TOKEN, MAIN_SID, Company, Reply, Server
from sandbox.errors import ApiError as SandboxError
from tap_twilio_usage.twilio.periods import today
from tests.conftest import Run, Sync, nightly
from tests.faults.conftest import catalog as of_streams
from tests.forked import Overrides
from tests.twilio import between

FIRST, LAST = date(2025, 9, 20), date(2025, 10, 5)
DAYS = [date.fromisoformat(day) for day in between(f"{FIRST}", f"{LAST}")]
DAILY = "usage_records_daily"
IN_A_HURRY = Overrides(speed=500)
ACTIVE, SUSPENDED, CLOSED = ("AC" + str(number).zfill(32) for number in (2, 3, 4))


@pytest.fixture
def company() -> Company:
    return Company(today=LAST, since=date(2025, 8, 1), categories=60)


def settings(server: Server, **more: Any) -> dict[str, Any]:
    return {
        "account_sid": MAIN_SID,
        "auth_token": AUTH_TOKEN,
        "start_date": f"{FIRST}",
        "end_date": f"{LAST}",
        "subaccounts": "separate",
        "api_url": server.url,
        **more,
    }


def truth(company: Company, sid: str, *, inside: bool = False) -> dict[date, dict[str, Decimal]]:
    days = {day: company.truth(day, sid, include_subaccounts=inside) for day in DAYS}
    return {day: {c: p for c, p in prices.items() if p} for day, prices in days.items()}


def by_account(rows: list[dict[str, Any]]) -> dict[str, dict[date, dict[str, Decimal]]]:
    found: dict[str, dict[date, dict[str, Decimal]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        day = found[row["account_sid"]][date.fromisoformat(row["start_date"])]
        if row["deduplicated_price"]:
            day[row["category"]] = row["deduplicated_price"]
    return found


def partitions(run: Run, stream: str = DAILY) -> dict[tuple[str, bool], dict[str, Any]]:
    return {
        (p["context"]["account_sid"], p["context"]["includes_subaccounts"]): p
        for p in run.states[-1]["bookmarks"][stream]["partitions"]
    }


def asked(server: Server, sid: str) -> list[str]:
    return [r.path.rpartition("/")[2] for r in server.requests if f"/{sid}/" in r.path]


# Each account by itself.


def test_each_account_has_its_own_rows_and_they_add_up_to_the_bill(
    sync: Sync, server: Server, company: Company
) -> None:
    run = sync(settings(server))
    assert run.code == 0
    found = by_account(run.records())
    assert found.keys() == {MAIN_SID, ACTIVE, SUSPENDED}
    for sid, days in found.items():
        assert {day: prices for day, prices in days.items() if prices} == {
            day: prices for day, prices in truth(company, sid).items() if prices
        }
    for day in DAYS:
        rolled_up = next(r for r in company.rows(day) if r.category == "totalprice")
        assert sum(sum(days[day].values()) for days in found.values()) == rolled_up.price
    together = [r for r in server.requests if r.query.get("IncludeSubaccounts") == "true"]
    assert [r.path.rpartition("/")[2] for r in together] == ["Daily.json"]  # to compare
    assert {row["includes_subaccounts"] for row in run.records()} == {False}
    assert {key: p["replication_key_value"] for key, p in partitions(run).items()} == {
        (sid, False): f"{LAST}" for sid in (MAIN_SID, ACTIVE, SUSPENDED, CLOSED)
    }
    assert "auth-token" not in run.out + run.log


def test_an_account_without_any_usage_takes_a_request_for_its_history_and_its_totals(
    sync: Sync, server: Server
) -> None:
    streams = (DAILY, "usage_records_monthly", "usage_records_today", "categories")
    run = sync(settings(server), catalog=of_streams(*streams))
    assert run.code == 0
    assert sorted(asked(server, CLOSED)) == [
        "AllTime.json",
        *(["Daily.json"] * 3),  # of two streams, and once a month to compare all accounts
        "Today.json",
    ]
    assert f"{CLOSED} has never used anything" in run.log


def test_an_account_is_read_from_its_first_usage_on(
    sync: Sync, server: Server, company: Company
) -> None:
    first = sync(settings(server))
    company.charge(LAST, "sms", Decimal("1.25"), account=CLOSED)
    second = sync(settings(server), state=first.states[-1])
    assert by_account(second.records())[CLOSED][LAST] == {"sms": Decimal("1.25")}
    assert asked(server, CLOSED).count("Daily.json") <= 13  # the lookback, not the whole history


def test_unused_accounts_are_read_with_skip_unused_categories_off(
    sync: Sync, server: Server
) -> None:
    run = sync(settings(server, skip_unused_categories=False, start_date=f"{LAST}"))
    assert by_account(run.records()).keys() == {MAIN_SID, ACTIVE, SUSPENDED, CLOSED}


def test_account_sids_selects_accounts(sync: Sync, server: Server) -> None:
    run = sync(settings(server, account_sids=[ACTIVE, CLOSED]))
    assert run.code == 0
    assert by_account(run.records()).keys() == {ACTIVE}
    assert not asked(server, MAIN_SID)
    assert not asked(server, SUSPENDED)


def test_an_account_that_twilio_does_not_list_fails_and_the_others_are_complete(
    sync: Sync, server: Server, company: Company
) -> None:
    gone = "AC" + "f" * 32
    run = sync(settings(server, account_sids=[gone, ACTIVE]))
    assert run.code == 1
    assert by_account(run.records())[ACTIVE] == truth(company, ACTIVE)
    assert (
        f"some accounts failed; everything else is complete: {gone}: account_sids" in run.last_line
    )


def test_accounts_that_are_all_missing_end_in_one_line(sync: Sync, server: Server) -> None:
    gone = "AC" + "f" * 32
    run = sync(settings(server, account_sids=[gone]))
    assert run.code == 1
    assert "Traceback" not in run.log
    assert (
        f"some accounts failed; everything else is complete: {gone}: account_sids" in run.last_line
    )


def test_an_account_that_twilio_no_longer_lists_is_named_once_and_keeps_its_state(
    sync: Sync, server: Server
) -> None:
    catalog = of_streams(DAILY, "usage_records_monthly", "usage_reconciliation")
    first = sync(settings(server), catalog=catalog)

    def without_one(reply: Reply) -> Reply:
        answer = json.loads(reply.content)
        answer["accounts"] = [each for each in answer["accounts"] if each["sid"] != ACTIVE]
        return reply._replace(content=json.dumps(answer).encode())

    server.plan = lambda asked: without_one if asked.path.endswith("/Accounts.json") else None
    run = sync(settings(server, lookback_days=0), catalog=catalog, state=first.states[-1])
    assert run.code == 0
    assert run.log.count(f"{ACTIVE} since {LAST}; add an account that was closed to") == 1
    assert partitions(run)[ACTIVE, False] == partitions(first)[ACTIVE, False]
    server.plan = None
    again = sync(settings(server, lookback_days=0), catalog=catalog, state=run.states[-1])
    assert "no longer lists" not in again.log
    assert ACTIVE in by_account(again.records())


def test_a_subaccount_starts_on_its_date_created_in_the_list(
    sync: Sync, server: Server, company: Company
) -> None:
    created = next(a.date_created for a in company.accounts() if a.sid == ACTIVE)
    run = sync(settings(server, start_date="2025-01-01"))
    assert min(by_account(run.records())[ACTIVE]) == created
    assert not [r for r in server.requests if r.path.endswith(f"{ACTIVE}.json")]


def test_usage_triggers_and_categories_come_from_all_accounts(
    sync: Sync, server: Server, company: Company
) -> None:
    company.charge(LAST, "hologram-calls", Decimal(1), account=ACTIVE)
    run = sync(settings(server), catalog=of_streams("usage_triggers", "categories"))
    assert run.code == 0
    assert {row["category"]: row for row in run.records("categories")}["hologram-calls"][
        "is_reported"
    ]
    asked_of = {r.path.split("/")[3] for r in server.requests if r.path.endswith("Triggers.json")}
    assert asked_of == {MAIN_SID, ACTIVE, SUSPENDED, CLOSED}
    assert "partitions" not in run.states[-1]["bookmarks"].get("usage_triggers", {})


# A failure in one account.


class Failing(Server):
    """A server that answers requests for the usage of some accounts with an error."""

    errors: dict[str, SandboxError] = {}  # noqa: RUF012

    def get(self, path: str, query: dict[str, str], authorization: str | None) -> bytes:
        for sid, error in self.errors.items():
            if f"/{sid}/Usage" in path:
                raise error
        return super().get(path, query, authorization)


def failing(company: Company, **errors: SandboxError) -> Failing:
    server = Failing(company)
    server.errors = errors
    return server


@pytest.mark.parametrize(
    ("status", "code"), [(401, 20003), (403, 20003), (404, 20404), (400, 20001)]
)
def test_after_a_failure_of_one_account_the_others_are_complete(
    sync: Sync, company: Company, status: int, code: int
) -> None:
    before = {"context": {"account_sid": ACTIVE, "includes_subaccounts": False}}
    mark = {"replication_key": "start_date", "replication_key_value": "2025-09-21"}
    state = {"bookmarks": {DAILY: {"partitions": [{**before, **mark}]}}}
    error = SandboxError(status, code, "no")
    with failing(company, **{ACTIVE: error}) as server:
        run = sync(settings(server), state=state, overrides=IN_A_HURRY)
    assert run.code == 1
    found = by_account(run.records())
    assert {sid: dict(days) for sid, days in found.items()} == {
        MAIN_SID: truth(company, MAIN_SID),
        SUSPENDED: truth(company, SUSPENDED),
    }
    assert partitions(run)[ACTIVE, False]["replication_key_value"] == "2025-09-21"
    assert partitions(run)[SUSPENDED, False]["replication_key_value"] == f"{LAST}"
    assert f"some accounts failed; everything else is complete: {ACTIVE}: " in run.last_line
    assert f"{status}" in run.last_line
    assert "Traceback" not in run.log


def test_two_accounts_that_fail_with_others_between_do_not_end_the_run(sync: Sync) -> None:
    """The accounts between them show that Twilio answers, also for the stream `categories`."""
    company = Company(today=LAST, since=FIRST - timedelta(days=60), subaccounts=6, categories=1)
    sids = [account.sid for account in company.accounts()]
    gone = {sids[2], sids[4]}
    with failing(company, **dict.fromkeys(gone, SandboxError(503, 20503, "no"))) as server:
        run = sync(settings(server), overrides=IN_A_HURRY)
    assert run.code == 1
    assert "some accounts failed; everything else is complete: " in run.last_line
    assert by_account(run.records()).keys() == {
        sid for sid in sids if any(truth(company, sid).values()) and sid not in gone
    }


def test_a_run_in_which_all_accounts_fail_ends_early(sync: Sync, company: Company) -> None:
    sids = (MAIN_SID, ACTIVE, SUSPENDED, CLOSED)
    with failing(company, **dict.fromkeys(sids, SandboxError(400, 20001, "no"))) as server:
        run = sync(settings(server))
    assert (run.code, run.records()) == (1, [])
    assert "and 1 more" in run.last_line


# Changes between the three choices.


class Table:
    """The rows of a target that upserts records by key."""

    def __init__(self, company: Company, stream: str = DAILY) -> None:
        self.company = company
        self.stream = stream
        self.rows: dict[tuple[str, str, str], dict[str, Any]] = {}

    def load(self, messages: list[dict[str, Any]]) -> None:
        for message in messages:
            if message["type"] == "RECORD" and message["stream"] == self.stream:
                row = message["record"]
                self.rows[row["account_sid"], row["category"], row["start_date"]] = row

    def sums(self) -> dict[date, Decimal]:
        sums: defaultdict[date, Decimal] = defaultdict(Decimal)
        for (_, _, start), row in self.rows.items():
            sums[date.fromisoformat(start)] += row["deduplicated_price"]
        return dict(sums)

    def holds(self, subaccounts: str) -> bool:
        inside = subaccounts != "excluded"
        return self.sums() == {
            day: self.company.total(day, include_subaccounts=inside) for day in DAYS
        }


@pytest.mark.parametrize(
    "choices",
    [
        ("rolled_up", "separate", "excluded", "rolled_up"),
        nightly(("separate", "rolled_up", "excluded", "separate")),
    ],
)
def test_every_change_of_subaccounts_counts_each_dollar_once(
    sync: Sync, server: Server, company: Company, choices: tuple[str, ...]
) -> None:
    table, state = Table(company), None
    for subaccounts in choices:
        later = f"{FIRST if state is None else LAST}"  # it goes back to the first day ever read
        run = sync(settings(server, subaccounts=subaccounts, start_date=later), state=state)
        assert run.code == 0
        state = run.states[-1]
        table.load(run.messages)
        assert table.holds(subaccounts)
        again = sync(settings(server, subaccounts=subaccounts, lookback_days=1), state=state)
        assert {row["start_date"] for row in again.records()} <= {"2025-10-04", "2025-10-05"}


@pytest.mark.parametrize("subaccounts", ["rolled_up", nightly("excluded")])
def test_rows_of_subaccounts_are_set_to_zero_after_separate(
    sync: Sync, server: Server, subaccounts: str
) -> None:
    first = sync(settings(server))
    second = sync(settings(server, subaccounts=subaccounts), state=first.states[-1])
    before = {_key(row) for row in first.records() if row["account_sid"] != MAIN_SID}
    zero = [row for row in second.records() if row["account_sid"] != MAIN_SID]
    assert before
    assert {_key(row) for row in zero} >= before
    for row in zero:
        assert (row["count"], row["usage"], row["price"], row["deduplicated_price"]) == (0, 0, 0, 0)
        assert (row["price_unit"], row["includes_subaccounts"]) == ("usd", False)
        assert row["counts_in_total"] is False
        assert row["service"]


def _key(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["account_sid"], row["category"], row["start_date"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("rolled_up", "separate"),
        nightly("separate", "rolled_up"),
        nightly("separate", "excluded"),
    ],
)
def test_an_interrupted_change_never_counts_a_dollar_twice(
    sync: Sync, server: Server, company: Company, before: str, after: str
) -> None:
    first = sync(settings(server, subaccounts=before))
    change = sync(settings(server, subaccounts=after), state=first.states[-1])
    table = Table(company)
    table.load(first.messages)
    states = [n for n, message in enumerate(change.messages) if message["type"] == "STATE"]
    done = 0
    for number, position in enumerate(states):
        table.load(change.messages[done:position])
        done = position
        assert all(price <= company.total(day) for day, price in table.sums().items())
        if number % 9 == 0:
            written = change.messages[position]["value"]
            rest = sync(settings(server, subaccounts=after), state=written)
            resumed = Table(company)
            resumed.rows = dict(table.rows)
            resumed.load(rest.messages)
            assert resumed.holds(after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("separate", "rolled_up"),
        nightly("rolled_up", "separate"),
        nightly("rolled_up", "excluded"),
    ],
)
def test_a_change_after_an_interrupted_run_counts_no_dollar_twice(
    sync: Sync, server: Server, company: Company, before: str, after: str
) -> None:
    """The target may have rows after the last STATE, including a part of a day."""
    first = sync(settings(server, subaccounts=before))
    rows = [n for n, m in enumerate(first.messages) if m.get("stream") == DAILY and "record" in m]
    for cut in rows[3 :: len(rows) // 5]:
        messages = first.messages[:cut]
        table = Table(company)
        table.load(messages)
        state = next(m["value"] for m in reversed(messages) if m["type"] == "STATE")
        change = sync(settings(server, subaccounts=after), state=state)
        table.load(change.messages)
        assert table.holds(after)
        assert sync(settings(server, subaccounts=after), state=change.states[-1]).code == 0


def cut(run: Run, sid: str, day: date) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the records before the account's first row of the day, and the last STATE."""
    position = next(
        n
        for n, m in enumerate(run.messages)
        if m.get("stream") == DAILY
        and "record" in m
        and (m["record"]["account_sid"], m["record"]["start_date"]) == (sid, f"{day}")
    )
    messages = run.messages[:position]
    return messages, next(m["value"] for m in reversed(messages) if m["type"] == "STATE")


@pytest.mark.parametrize("sid", [nightly(MAIN_SID), ACTIVE])
def test_a_later_start_date_leaves_no_gap_in_an_interrupted_change(
    sync: Sync, server: Server, company: Company, sid: str
) -> None:
    table = Table(company)
    first = sync(settings(server, subaccounts="rolled_up"))
    later = settings(server, start_date="2025-10-03", lookback_days=1)
    messages, state = cut(sync(later, state=first.states[-1]), sid, DAYS[5])
    table.load([*first.messages, *messages, *sync(later, state=state).messages])
    assert table.holds("separate")


def test_a_change_that_is_reverted_half_way_reads_all_days_again(
    sync: Sync, server: Server, company: Company
) -> None:
    table = Table(company)
    first = sync(settings(server, lookback_days=1))
    change = sync(settings(server, subaccounts="rolled_up"), state=first.states[-1])
    messages, state = cut(change, ACTIVE, DAYS[5])
    back = sync(settings(server, lookback_days=1), state=state)
    table.load([*first.messages, *messages, *back.messages])
    assert table.holds("separate")


def test_a_change_up_to_an_earlier_day_is_completed_by_the_next_run(
    sync: Sync, server: Server, company: Company
) -> None:
    table = Table(company)
    first = sync(settings(server))
    earlier = {"subaccounts": "rolled_up", "end_date": f"{DAYS[8]}"}
    change = sync(settings(server, **earlier), state=first.states[-1])
    table.load([*first.messages, *change.messages])
    assert table.holds("separate")  # it is the same money
    rest = sync(settings(server, subaccounts="rolled_up"), state=change.states[-1])
    table.load(rest.messages)
    assert table.holds("rolled_up")
    again = sync(settings(server, subaccounts="rolled_up"), state=rest.states[-1])
    assert {row["account_sid"] for row in again.records()} == {MAIN_SID}


def test_a_full_table_is_read_completely_each_time(sync: Sync, server: Server) -> None:
    catalog = of_streams(DAILY)
    for stream in catalog["streams"]:
        stream["replication_method"] = "FULL_TABLE"
    first = sync(settings(server), catalog=catalog)
    second = sync(settings(server), catalog=catalog, state=first.states[-1])
    assert len(first.records()) == len(second.records()) > 500


def test_older_rows_of_a_named_period_are_not_changed(
    sync: Sync, server: Server, company: Company
) -> None:
    """The stream `today` does not read yesterday's row again, which stays correct."""
    stream = "usage_records_today"
    table, state = Table(company, stream), None
    catalog = of_streams(stream)
    for subaccounts in ("separate", "rolled_up", "separate", "excluded"):
        for _ in range(2):
            run = sync(settings(server, subaccounts=subaccounts), catalog=catalog, state=state)
            state = run.states[-1]
            table.load(run.messages)
        sums = table.sums()
        inside = subaccounts != "excluded"
        assert sums.pop(company.last_day()) == company.total(
            company.last_day(), include_subaccounts=inside
        )
        assert all(price == company.total(day) for day, price in sums.items())
        company.today = company.last_day() + timedelta(days=1)


def test_a_failure_of_the_main_account_during_a_change_ends_the_run(
    sync: Sync, server: Server, company: Company
) -> None:
    first = sync(settings(server, subaccounts="rolled_up"))
    with failing(company, **{MAIN_SID: SandboxError(400, 20001, "no")}) as broken:
        change = sync(settings(broken), state=first.states[-1])
    assert (change.code, change.records()) == (1, [])
    again = sync(settings(server), state=change.states[-1])
    table = Table(company)
    table.load(first.messages)
    table.load(again.messages)
    assert table.holds("separate")


def test_account_sids_without_the_main_account_still_removes_the_others_from_it(
    sync: Sync, server: Server, company: Company
) -> None:
    first = sync(settings(server, subaccounts="rolled_up"))
    chosen = settings(server, account_sids=[ACTIVE])
    change = sync(chosen, state=first.states[-1])
    assert f"{MAIN_SID}: rows in the target include subaccounts" in change.log
    assert by_account(change.records())[MAIN_SID] == truth(company, MAIN_SID)
    order = [row["account_sid"] for row in change.records()]
    assert order == sorted(order)  # the main account first
    again = sync(chosen, state=change.states[-1])
    assert by_account(again.records()).keys() == {ACTIVE}


def test_a_change_from_some_accounts_reads_all_their_days(
    sync: Sync, server: Server, company: Company
) -> None:
    first = sync(settings(server, account_sids=[ACTIVE]))
    later = {"subaccounts": "rolled_up", "start_date": f"{LAST}"}
    change = sync(settings(server, **later), state=first.states[-1])
    table = Table(company)
    table.load([*first.messages, *change.messages])
    assert table.holds("rolled_up")


@pytest.mark.parametrize(
    "stream",
    ["usage_records_monthly", *map(nightly, ("usage_records_all_time", "usage_records_today"))],
)
def test_a_change_works_for_all_periods(
    sync: Sync, server: Server, company: Company, stream: str
) -> None:
    totals = {}
    for inside in (True, False):
        first = {"usage_records_all_time": date(2025, 8, 1), "usage_records_today": LAST}
        days = between(f"{first.get(stream, date(2025, 9, 1))}", f"{LAST}")
        totals[inside] = sum(
            company.total(date.fromisoformat(day), include_subaccounts=inside) for day in days
        )
    table, state = Table(company, stream), None
    periods: set[tuple[str, str]] = set()
    for subaccounts in ("separate", "rolled_up", "separate", "excluded", "rolled_up"):
        run = sync(
            settings(server, subaccounts=subaccounts), catalog=of_streams(stream), state=state
        )
        assert run.code == 0
        state = run.states[-1]
        table.load(run.messages)
        assert sum(table.sums().values()) == totals[subaccounts != "excluded"]
        assert "catch_up_to" not in f"{state}"  # each run has caught up
        periods = periods or {(sid, start) for sid, _, start in table.rows}
        assert {(sid, start) for sid, _, start in table.rows} == periods  # no others become zero


@pytest.mark.parametrize("period", ["monthly", nightly("yearly"), nightly("this_month")])
def test_the_first_period_of_a_subaccount_is_set_to_zero_too(sync: Sync, period: str) -> None:
    """Twilio may return a row that starts on the creation date, which is not in the state."""
    company, stream = Company(today=LAST, since=FIRST, subaccounts=1), f"usage_records_{period}"
    table, state = Table(company, stream), None
    created = company.accounts()[-1].date_created
    assert LAST.replace(day=1) < created < LAST
    with Server(company) as server:
        for subaccounts in ("separate", "rolled_up"):
            only_stream = of_streams(stream)
            run = sync(settings(server, subaccounts=subaccounts), catalog=only_stream, state=state)
            state = run.states[-1]
            table.load(run.messages)
    first = LAST.replace(day=1) if period == "this_month" else FIRST
    days = between(f"{first}", f"{LAST}")
    assert sum(table.sums().values()) == sum(company.total(date.fromisoformat(d)) for d in days)


def test_a_month_that_is_set_to_zero_keeps_its_end_date(sync: Sync, server: Server) -> None:
    monthly = of_streams("usage_records_monthly")
    first = sync(settings(server), catalog=monthly)
    rolled_up = settings(server, subaccounts="rolled_up")
    second = sync(rolled_up, catalog=monthly, state=first.states[-1])
    zero = [r for r in second.records("usage_records_monthly") if r["account_sid"] == ACTIVE]
    assert {(row["start_date"], row["end_date"]) for row in zero} == {
        ("2025-09-01", "2025-09-30"),
        ("2025-10-01", "2025-10-05"),
    }


@pytest.mark.parametrize("stream", [DAILY, nightly("usage_records_today")])
def test_the_state_has_the_first_day_before_the_first_row_is_emitted(
    sync: Sync, server: Server, stream: str
) -> None:
    """If the run ends there, a run with another choice of `subaccounts` still finds the rows."""
    state = None
    for subaccounts in ("separate", "rolled_up", "separate"):
        run = sync(
            settings(server, subaccounts=subaccounts), catalog=of_streams(stream), state=state
        )
        state = run.states[-1]
    begun: set[str] = set()
    for message in run.messages:
        if message["type"] == "STATE":
            parts = message["value"]["bookmarks"].get(stream, {}).get("partitions", [])
            begun = {
                part["context"]["account_sid"]
                for part in parts
                if "first_day" in part and "withdrawn" not in part
            }
        elif message["type"] == "RECORD":
            assert message["record"]["account_sid"] in begun


def test_rows_of_another_main_account_are_not_changed(sync: Sync, server: Server) -> None:
    first = sync(settings(server))
    other = {"account_sid": ACTIVE, "auth_token": f"{AUTH_TOKEN}-2", "subaccounts": "excluded"}
    second = sync(settings(server, **other), state=first.states[-1])
    assert second.code == 0
    assert by_account(second.records()).keys() == {ACTIVE}
    assert (SUSPENDED, False) in partitions(second)


# Few requests.


def settled(sync: Sync, settings: dict[str, Any]) -> Run:
    """Load twice: only a second run can confirm that the days add up to the account's history."""
    return sync(settings, state=sync(settings).states[-1])


@pytest.mark.nightly
def test_forty_accounts_take_two_requests_each(sync: Sync) -> None:
    company = Company(today=LAST, since=date(2025, 8, 20), categories=60, subaccounts=39)
    with Server(company) as server:
        first = settled(sync, settings(server, start_date="2025-10-01"))
        company.today = LAST + timedelta(days=1)
        server.requests.clear()
        next_day = settings(server, start_date="2025-10-01", end_date=f"{company.today}")
        second = sync(next_day, state=first.states[-1])
    assert (first.code, second.code) == (0, 0)
    accounts = company.accounts()
    assert len(accounts) == 40
    assert len(server.requests) <= 2 * len(accounts) + 5
    found = by_account(second.records())
    for account in accounts:
        expected = company.truth(company.today, account.sid, include_subaccounts=False)
        assert found[account.sid][company.today] == {c: p for c, p in expected.items() if p}


@pytest.mark.parametrize(("categories", "days"), [nightly(510, 1), (290, 3)])
def test_days_with_many_rows_and_weekends_take_no_more_requests(
    sync: Sync, categories: int, days: int
) -> None:
    company = Company(today=LAST, since=date(2025, 8, 20), categories=categories, subaccounts=9)
    with Server(company) as server:
        first = settled(sync, settings(server, start_date="2025-09-25"))
        company.today = LAST + timedelta(days=days)
        server.requests.clear()
        later = settings(server, start_date="2025-09-25", end_date=f"{company.today}")
        second = sync(later, state=first.states[-1])
    assert second.code == 0
    assert len(server.requests) <= 2 * len(company.accounts()) + 2
    for account in company.accounts():
        expected = company.truth(company.today, account.sid, include_subaccounts=False)
        found = by_account(second.records())[account.sid][company.today]
        assert found == {c: p for c, p in expected.items() if p}


def test_states_of_many_accounts_are_smaller_than_the_rows(sync: Sync) -> None:
    company = Company(today=LAST, since=date(2025, 9, 20), categories=60, subaccounts=40)
    with Server(company) as server:
        run = sync(settings(server, start_date="2025-10-01"))
    sizes = {kind: 0 for kind in ("STATE", "RECORD")}  # noqa: C420
    for line, message in zip(run.out.splitlines(), run.messages, strict=True):
        if message["type"] in sizes:
            sizes[message["type"]] += len(line)
    assert sizes["STATE"] < sizes["RECORD"] / 2


def test_a_restated_older_day_is_detected_and_read_again(
    sync: Sync, server: Server, company: Company
) -> None:
    first = settled(sync, settings(server))
    restated = LAST - timedelta(days=9)
    company.restate(restated, "sms-outbound-longcode", price_factor=Decimal("1.5"), account=ACTIVE)
    second = sync(settings(server), state=first.states[-1])
    found = by_account(second.records())
    assert found[ACTIVE][restated] == truth(company, ACTIVE)[restated]
    assert min(found[ACTIVE]) < restated
    assert set(found[MAIN_SID]) == {LAST}


def test_a_longer_lookback_reads_older_days_again(sync: Sync, server: Server) -> None:
    first = settled(sync, settings(server, lookback_days=2))
    same = sync(settings(server, lookback_days=2), state=first.states[-1])
    assert set(by_account(same.records())[MAIN_SID]) == {LAST}
    longer = sync(settings(server, lookback_days=5), state=same.states[-1])
    assert min(by_account(longer.records())[MAIN_SID]) == LAST - timedelta(days=5)


def test_a_lookback_longer_than_all_dates_reads_the_whole_history(
    sync: Sync, server: Server
) -> None:
    everything = settings(server, lookback_days=10**10)
    first = settled(sync, everything)
    second = sync(everything, state=first.states[-1])
    assert (first.code, second.code) == (0, 0)
    assert set(by_account(second.records())[MAIN_SID]) == {LAST}


def test_days_before_a_start_date_are_read_once_it_is_removed(
    sync: Sync, server: Server, company: Company
) -> None:
    restated = LAST - timedelta(days=9)
    first = sync(settings(server))
    company.restate(restated, "sms-outbound-longcode", price_factor=Decimal("1.5"), account=ACTIVE)
    later = sync(settings(server, start_date=f"{LAST}"), state=first.states[-1])
    assert restated not in by_account(later.records())[ACTIVE]
    again = sync(settings(server), state=later.states[-1])
    assert by_account(again.records())[ACTIVE][restated] == truth(company, ACTIVE)[restated]


def test_older_days_are_all_read_again_after_an_interrupted_run(
    sync: Sync, server: Server, company: Company
) -> None:
    """They are restated, read in part, and restated back, so that the sums do not change."""
    restated, table = LAST - timedelta(days=9), Table(company)
    first = sync(settings(server))
    company.restate(restated, "sms-outbound-longcode", price_factor=Decimal(2), account=ACTIVE)
    second = sync(settings(server), state=first.states[-1])
    messages, state = cut(second, ACTIVE, restated + timedelta(days=3))
    company.restate(restated, "sms-outbound-longcode", price_factor=Decimal("0.5"), account=ACTIVE)
    table.load([*first.messages, *messages, *sync(settings(server), state=state).messages])
    assert table.holds("separate")


def test_older_days_are_read_again_after_a_week(sync: Sync, server: Server) -> None:
    state = settled(sync, settings(server)).states[-1]
    for days, read in ((6, False), (7, True)):
        for part in state["bookmarks"][DAILY]["partitions"]:
            if "older_days" in part:
                part["older_days"]["read_on"] = f"{today() - timedelta(days=days)}"
        run = sync(settings(server), state=state)
        assert (len(by_account(run.records())[MAIN_SID]) > 1) is read


def test_an_api_key_is_refused_before_the_first_request(sync: Sync, server: Server) -> None:
    key = {"auth_token": None, "api_key_sid": API_KEY_SID, "api_key_secret": API_KEY_SECRET}
    run = sync(settings(server, **key))
    assert run.code == 1
    assert not server.requests
    assert run.last_line.endswith(
        "categories, usage_records_daily: an API key reads the main account only: set auth_token "
        "(TWILIO_AUTH_TOKEN), or subaccounts to rolled_up, or name each account in connections"
    )
