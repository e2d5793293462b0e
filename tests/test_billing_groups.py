"""`billing_group_records`: what billing groups used, read with an OAuth app."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from sandbox import (
    AUTH_TOKEN,
    BILLING_GROUP_IDS,
    CLIENT_ID,
    CLIENT_SECRET,
    LEGACY_BILLING_GROUP_ID,
    MAIN_SID,
    BillingForm,
    Company,
    Server,
)
from tap_twilio_usage.twilio.periods import Window
from tests.conftest import Run, Sync, nightly
from tests.faults.conftest import catalog as of_streams
from tests.http_server import Answer, LocalServer, Request, serve
from tests.twilio import between

DAILY, MONTHLY = "billing_group_records", "billing_group_records_monthly"
FIRST, LAST = date(2025, 9, 20), date(2025, 10, 5)
GROUP = "commerce_billingprofile_canary7"
SECRET, ACCESS_TOKEN = "canary-client-secret", "canary-access-token"


@pytest.fixture
def company() -> Company:
    return Company(today=LAST, since=date(2025, 8, 1), categories=60)


def oauth(url: str, *groups: str, **more: Any) -> dict[str, Any]:
    return {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "billing_group_ids": list(groups or BILLING_GROUP_IDS),
        "billing_api_url": url,
        "oauth_token_url": f"{url}/v2/token",
        "start_date": f"{FIRST}",
        "end_date": f"{LAST}",
        **more,
    }


def load(sync: Sync, settings: dict[str, Any], *streams: str, state: Any = None) -> Run:
    catalog = of_streams(*streams) if streams else None
    run = sync(settings, catalog=catalog, state=state)
    assert SECRET not in run.out + run.log
    assert CLIENT_SECRET not in run.out + run.log
    assert ACCESS_TOKEN not in run.out + run.log
    assert "commerce_billingprofile" not in run.log
    assert "Traceback" not in run.log
    return run


def sums(rows: list[dict[str, Any]]) -> dict[tuple[str, str], Decimal]:
    found: dict[tuple[str, str], Decimal] = {}
    for row in rows:
        key = (row["billing_group_id"], row["start_date"])
        found[key] = found.get(key, Decimal(0)) + row["price"]
    return found


def bookmarks(run: Run, stream: str = DAILY) -> dict[str, str]:
    partitions = run.states[-1]["bookmarks"][stream]["partitions"]
    return {p["context"]["billing_group_id"]: p["replication_key_value"] for p in partitions}


def asked(server: Server) -> list[tuple[str, str]]:
    posts = (r for r in server.requests if r.path.endswith("Records"))
    return [(r.query["startDate"], r.query["endDate"]) for r in posts]


# What is loaded.


def test_oauth_alone_loads_all_groups_and_no_other_stream(
    sync: Sync, server: Server, company: Company
) -> None:
    run = load(sync, oauth(server.url))
    assert run.code == 0
    assert run.schemas().keys() == {DAILY}
    assert sums(run.records(DAILY)) == {
        (group, day): company.billing_total(group, date.fromisoformat(day))
        for group in BILLING_GROUP_IDS
        for day in between(f"{FIRST}", f"{LAST}")
        if company.billing_rows(group, date.fromisoformat(day), date.fromisoformat(day))
    }
    assert bookmarks(run) == dict.fromkeys(BILLING_GROUP_IDS, f"{LAST}")
    keys = [
        tuple(row[key] for key in run.schemas()[DAILY]["key_properties"])
        for row in run.records(DAILY)
    ]
    assert len(keys) == len(set(keys)) > 100
    assert {r.path for r in server.requests if r.method == "GET"} == set()


def test_monthly_records_are_sums_of_months(sync: Sync, server: Server, company: Company) -> None:
    run = load(sync, oauth(server.url), MONTHLY)
    assert run.code == 0
    group = BILLING_GROUP_IDS[0]
    month = [date.fromisoformat(day) for day in between("2025-09-01", "2025-09-30")]
    assert sums(run.records(MONTHLY))[group, "2025-09-01"] == sum(
        company.billing_total(group, day) for day in month
    )
    assert bookmarks(run, MONTHLY) == dict.fromkeys(BILLING_GROUP_IDS, "2025-10-01")
    assert {r.query["aggregationPeriod"] for r in server.requests if "Records" in r.path} == {
        "MONTHLY"
    }


def test_the_page_size_does_not_change_the_rows(sync: Sync, server: Server) -> None:
    whole = load(sync, oauth(server.url))
    server.requests.clear()
    small = load(sync, oauth(server.url, page_size=7))
    assert [r for r in server.requests if r.query.get("pageToken")]
    key = sorted(map(str, small.records(DAILY)))
    assert key == sorted(map(str, whole.records(DAILY)))


def test_ranges_have_at_most_365_days_and_cover_all_days(sync: Sync) -> None:
    company = Company(today=LAST, since=date(2022, 1, 1), categories=60, subaccounts=1)
    with Server(company) as server:
        for stream in (DAILY, MONTHLY):
            server.requests.clear()
            group = BILLING_GROUP_IDS[1]
            settings = oauth(server.url, group, start_date="2023-11-15", page_size=1000)
            assert load(sync, settings, stream).code == 0
            windows = {Window(*map(date.fromisoformat, pair)) for pair in asked(server)}
            # One request asks for a part of another one, to prove the form.
            inside = {w for w in windows for o in windows - {w} if w.start in o and w.end in o}
            ranges = sorted(windows - inside)
            assert all((last - first).days + 1 <= 365 for first, last in ranges)
            assert ranges[0][0] == (date(2023, 11, 15) if stream == DAILY else date(2023, 11, 1))
            assert ranges[-1][1] == LAST
            for before, after in pairwise(ranges):
                assert after[0] - before[1] == timedelta(days=1)


def test_an_incremental_run_reads_the_lookback_again(
    sync: Sync, server: Server, company: Company
) -> None:
    group = BILLING_GROUP_IDS[0]
    first = load(sync, oauth(server.url, end_date="2025-10-03"))
    restated = date(2025, 10, 1)
    company.restate(restated, "sms-outbound-longcode", price_factor=Decimal(2))
    server.requests.clear()
    second = load(sync, oauth(server.url, lookback_days=3), state=first.states[-1])
    assert {start for start, _ in asked(server)} == {"2025-09-30"}
    assert sums(second.records(DAILY))[group, f"{restated}"] == company.billing_total(
        group, restated
    )
    marks = [
        part["replication_key_value"]
        for state in second.states
        for part in state["bookmarks"][DAILY]["partitions"]
        if part["context"]["billing_group_id"] == group
    ]
    assert marks == sorted(marks)
    assert (marks[0], marks[-1]) == ("2025-10-03", f"{LAST}")


def test_a_state_with_billing_groups_is_kept_by_a_run_without_them(
    sync: Sync, server: Server
) -> None:
    state = load(sync, oauth(server.url)).states[-1]
    account = {"account_sid": MAIN_SID, "auth_token": AUTH_TOKEN, "api_url": server.url}
    run = sync({**account, "start_date": f"{LAST}", "end_date": f"{LAST}"}, state=state)
    assert run.code == 0
    assert bookmarks(run) == dict.fromkeys(BILLING_GROUP_IDS, f"{LAST}")


# The form of the requests. test_billing_form.py has the rules.


def test_the_form_is_found_out_once_for_all_groups_windows_and_streams(
    sync: Sync, company: Company
) -> None:
    form = BillingForm("form", "get", max_page_size=100, refusal=0, array="items", status=201)
    with Server(company, billing=form) as server:
        settings = oauth(server.url, start_date="2025-09-01", max_concurrent_requests=8)
        run = load(sync, settings, DAILY, MONTHLY)
        statuses = [r.status for r in server.requests if r.path.endswith("Records")]
    assert run.code == 0
    days = [date.fromisoformat(day) for day in between("2025-09-01", f"{LAST}")]
    truth = sum(company.billing_total(group, day) for group in BILLING_GROUP_IDS for day in days)
    for stream in (DAILY, MONTHLY):
        assert sum(sums(run.records(stream)).values()) == truth
    assert set(statuses) == {201, 400}
    assert statuses.count(400) == 1  # the page size, in a form; a JSON body was ignored
    (line,) = (line for line in run.log.splitlines() if "Twilio takes" in line)
    assert "INFO" in line
    assert line.endswith(
        "billing groups: Twilio takes the parameters in a form, pages of up to 100, and the token "
        "of the next page in a GET"
    )


def test_no_form_that_is_understood_is_the_last_line(sync: Sync) -> None:
    with serve(answering(Answer.error(400, 20001, "Invalid body"))) as server:
        run = load(sync, one_group(server))
    assert run.code == 1
    assert "Twilio takes no form of parameters (JSON body, JSON body with 100 a" in run.last_line
    assert run.last_line.endswith("; report this line")


# Periods that are missing, renamed or added. test_billing_gaps.py has the rules.


def upserted(*runs: Run, stream: str = DAILY) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Return the rows of a target after these runs."""
    keys = ("billing_group_id", "product_category", "product_name", "start_date")
    return {tuple(r[k] for k in keys): r for run in runs for r in run.records(stream)}


def spend(*runs: Run, stream: str = DAILY) -> dict[tuple[str, str], Decimal]:
    return sums(list(upserted(*runs, stream=stream).values()))


class Emptying(Server):
    """Lists no product at all while `is_empty`."""

    is_empty = False

    def post(self, path: str, body: Any, authorization: str | None) -> bytes:
        answer = super().post(path, body, authorization)
        if not self.is_empty or not path.endswith("/Records"):
            return answer
        return json.dumps(json.loads(answer) | {"records": []}).encode()


@pytest.mark.parametrize("stream", [DAILY, MONTHLY])
def test_an_empty_answer_leaves_all_rows_and_is_asked_for_until_it_lists_products(
    sync: Sync, company: Company, stream: str
) -> None:
    group = BILLING_GROUP_IDS[0]
    with (server := Emptying(company)):
        settings = oauth(server.url, group, lookback_days=60, page_size=1000)
        first = load(sync, settings, stream)
        server.is_empty = True
        second = load(sync, settings, stream, state=first.states[-1])
        server.is_empty = False
        third = load(sync, settings | {"lookback_days": 0}, stream, state=second.states[-1])
        fourth = load(sync, settings | {"lookback_days": 0}, stream, state=third.states[-1])
    assert [run.code for run in (first, second, third, fourth)] == [0] * 4
    assert second.records(stream) == []
    assert spend(first, second, stream=stream) == spend(first, stream=stream)
    days = f"{FIRST}..{LAST} (16 days)" if stream == DAILY else "2025-09-01..2025-10-31 (61 days)"
    assert f"billing group 1: Twilio listed products for {days} before and lists none" in second.log
    assert upserted(third, stream=stream) == upserted(first, stream=stream)
    assert "missing_days" not in f"{third.states[-1]}"
    assert len(fourth.records(stream)) < len(first.records(stream))


class Renaming(Server):
    """Lists a product under another name, and one not at all, while `is_renamed`."""

    is_renamed = False
    old, new, gone = "Long Code Outbound SMS", "SMS Outbound", "Carrier Fees"

    def post(self, path: str, body: Any, authorization: str | None) -> bytes:
        answer = super().post(path, body, authorization)
        if not self.is_renamed or not path.endswith("/Records"):
            return answer
        page = json.loads(answer.decode().replace(f'"{self.old}"', f'"{self.new}"'))
        page["records"] = [row for row in page["records"] if row["productName"] != self.gone]
        return json.dumps(page).encode()


@pytest.mark.parametrize(
    ("stream", "step"), [(DAILY, 15), (MONTHLY, 5), nightly(DAILY, 1), nightly(MONTHLY, 1)]
)
def test_renamed_and_vanished_products_leave_no_old_money_whenever_a_run_was_killed(
    sync: Sync, company: Company, stream: str, step: int
) -> None:
    with (server := Renaming(company)):
        settings = oauth(server.url, BILLING_GROUP_IDS[0], lookback_days=60, page_size=1000)
        first = load(sync, settings, stream)
        assert {server.old, server.gone} <= {r["product_name"] for r in first.records(stream)}
        server.is_renamed = True
        truth = spend(load(sync, settings, stream), stream=stream)
        second = load(sync, settings, stream, state=first.states[-1])
        for killed, before in ((first, []), (second, [first])):
            ends = [n for n, each in enumerate(killed.messages) if each["type"] == "STATE"]
            for end, following in [*pairwise([*ends, len(killed.messages)])][::step]:
                # The target has also rows that came after the last STATE that it wrote.
                lines = killed.out.splitlines(keepends=True)[:following]
                rest = load(sync, settings, stream, state=killed.messages[end]["value"])
                done = upserted(*before, Run(0, "".join(lines), ""), rest, stream=stream)
                assert sums([*done.values()]) == truth
                assert {row["product_name"] for row in done.values() if row["price"]}.isdisjoint(
                    {server.old, server.gone}
                )


@pytest.mark.parametrize("stream", [DAILY, MONTHLY])
def test_a_group_without_any_record_is_logged_once_and_loaded_when_it_has_some(
    sync: Sync, company: Company, stream: str
) -> None:
    with (server := Emptying(company)):
        settings = oauth(server.url, lookback_days=0)
        healthy = load(sync, settings, stream)
        server.is_empty = True
        first = load(sync, settings, stream)
        second = load(sync, settings, stream, state=first.states[-1])
        server.is_empty = False
        third = load(sync, settings, stream, state=second.states[-1])
    for number in (1, 2):
        says = f"billing group {number}: Twilio has no record for any day of 2025-09-"
        assert [run.log.count(says) for run in (first, second, third)] == [1, 0, 0]
    assert upserted(third, stream=stream) == upserted(healthy, stream=stream)


@pytest.mark.parametrize(("stream", "later"), [(DAILY, "2025-09-28"), (MONTHLY, "2025-10-01")])
def test_a_start_date_that_is_moved_back_loads_the_earlier_periods_from_every_state(
    sync: Sync, server: Server, stream: str, later: str
) -> None:
    settings = oauth(server.url, BILLING_GROUP_IDS[0], lookback_days=0, page_size=1000)
    first = load(sync, settings | {"start_date": later}, stream)
    second = load(sync, settings, stream, state=first.states[-1])
    assert "start_date is earlier now: loading 2025-09-" in second.log
    whole = spend(load(sync, settings, stream), stream=stream)
    assert spend(first, second, stream=stream) == whole
    ends = [n for n, message in enumerate(second.messages) if message["type"] == "STATE"]
    for end in ends[::4]:  # killed there
        lines = second.out.splitlines(keepends=True)[: end + 1]
        rest = load(sync, settings, stream, state=second.messages[end]["value"])
        assert spend(first, Run(0, "".join(lines), ""), rest, stream=stream) == whole
    again = load(sync, settings, stream, state=second.states[-1])
    assert "start_date is earlier" not in again.log
    assert len(again.records(stream)) < len(second.records(stream))


def test_an_earlier_start_date_is_loaded_up_to_an_end_date_before_the_bookmark(
    sync: Sync, server: Server
) -> None:
    settings = oauth(server.url, BILLING_GROUP_IDS[0], lookback_days=0)
    first = load(sync, settings | {"start_date": "2025-09-28"}, DAILY)
    second = load(sync, settings | {"end_date": "2025-09-22"}, DAILY, state=first.states[-1])
    third = load(sync, settings, DAILY, state=second.states[-1])
    days = {row["start_date"] for row in second.records(DAILY)}
    assert days <= set(between(f"{FIRST}", "2025-09-22"))
    assert spend(first, second, third) == spend(load(sync, settings, DAILY))
    assert days
    assert bookmarks(second) == bookmarks(first)


def test_days_that_a_start_date_left_out_are_loaded_when_it_is_moved_back(
    sync: Sync, server: Server
) -> None:
    settings = oauth(server.url, BILLING_GROUP_IDS[0], lookback_days=0)
    later = settings | {"start_date": "2025-09-28"}
    runs = [load(sync, settings | {"end_date": "2025-09-20"}, DAILY)]
    for options in (later, later, settings, settings):
        runs.append(load(sync, options, DAILY, state=runs[-1].states[-1]))
    read = [{row["start_date"] for row in run.records(DAILY)} for run in runs]
    gap = set(between("2025-09-21", "2025-09-27"))
    assert [bool(days & gap) for days in read] == [False, False, False, True, False]
    assert spend(*runs) == spend(load(sync, settings, DAILY))


def test_a_group_continues_from_a_state_of_version_0_1_0(sync: Sync, server: Server) -> None:
    file = Path(__file__).parent / "states" / "every_other_stream.json"
    state = {"bookmarks": {DAILY: json.loads(file.read_text())["bookmarks"][DAILY]}}
    run = load(sync, oauth(server.url, start_date="2025-09-01", lookback_days=3), state=state)
    assert run.code == 0
    assert min(row["start_date"] for row in run.records(DAILY)) == "2025-09-17"
    assert bookmarks(run) == dict.fromkeys(BILLING_GROUP_IDS, f"{LAST}")
    (partition, _) = run.states[-1]["bookmarks"][DAILY]["partitions"]
    assert partition["first_rows"] == "2025-09-17"
    assert "missing_days" not in partition
    earlier = oauth(server.url, start_date="2025-08-20", lookback_days=3)
    again = load(sync, earlier, state=run.states[-1])
    assert min(row["start_date"] for row in again.records(DAILY)) == "2025-08-20"


@pytest.mark.parametrize(
    ("partition", "says"),
    [
        ({"context": {"account_sid": MAIN_SID}}, "belongs to no billing group"),
        ({"context": {"billing_group_id": 7}}, "belongs to no billing group"),
        (
            {"context": {"billing_group_id": GROUP}, "replication_key_value": "soon"},
            "replication_key_value of billing_group_records for a billing group is not a",
        ),
    ],
)
def test_a_state_of_another_kind_is_refused(
    sync: Sync, partition: dict[str, Any], says: str
) -> None:
    state = {"bookmarks": {DAILY: {"partitions": [partition]}}}
    run = load(sync, oauth("http://127.0.0.1:9"), state=state)
    assert run.code == 1
    assert says in run.last_line


# Groups that fail.


def test_error_71001_is_explained_and_the_other_groups_complete(sync: Sync, server: Server) -> None:
    run = load(sync, oauth(server.url, LEGACY_BILLING_GROUP_ID, *BILLING_GROUP_IDS))
    assert run.code == 1
    assert {row["billing_group_id"] for row in run.records(DAILY)} == set(BILLING_GROUP_IDS)
    assert run.last_line.endswith(
        "some billing groups failed; everything else is complete: billing group 1: "
        "billing_group_records: billing group 1 cannot use this version of the API "
        "(Twilio's error 71001); remove it from billing_group_ids: usage_records_daily has "
        "the usage of its accounts"
    )


def test_a_group_that_does_not_exist_fails_and_the_other_streams_complete(
    sync: Sync, server: Server
) -> None:
    account = {"account_sid": MAIN_SID, "auth_token": AUTH_TOKEN, "api_url": server.url}
    run = load(sync, oauth(server.url, "commerce_billingprofile_none", **account))
    assert run.code == 1
    assert "billing group 1 answered 404" in run.last_line
    assert (
        "this OAuth app has no such billing group, or the group did not exist on 2025-09-20"
        in run.last_line
    )
    days = {row["start_date"] for row in run.records("usage_records_daily")}
    assert days == set(between(f"{FIRST}", f"{LAST}"))


def test_wrong_oauth_credentials_are_an_error_that_names_the_settings(
    sync: Sync, server: Server
) -> None:
    run = load(sync, oauth(server.url, BILLING_GROUP_IDS[0], client_id="OQ" + "9" * 32))
    assert (run.code, run.records(DAILY)) == (1, [])
    assert "Twilio refused the credentials (401: code 20003" in run.last_line
    assert "check client_id and client_secret" in run.last_line


# The token.


def test_a_run_requests_one_token(sync: Sync, server: Server) -> None:
    assert load(sync, oauth(server.url, max_concurrent_requests=8), DAILY, MONTHLY).code == 0
    tokens = [r for r in server.requests if r.path == "/v2/token"]
    assert len(tokens) == 1
    assert "client_secret" not in tokens[0].query


class SayingASecond(Server):
    """Says that a token lives for a second; takes it for longer, as this machine may be slow."""

    def post(self, path: str, body: Any, authorization: str | None) -> bytes:
        answer = super().post(path, body, authorization)
        return answer.replace(b'"expires_in": 3600', b'"expires_in": 1')


def test_a_token_is_renewed_before_it_expires(sync: Sync, company: Company) -> None:
    with SayingASecond(company, latency=0.2) as server:
        settings = oauth(server.url, page_size=200, max_concurrent_requests=1)
        run = load(sync, settings)
    assert run.code == 0
    statuses = {r.status for r in server.requests}
    assert statuses == {200}
    assert len([r for r in server.requests if r.path == "/v2/token"]) > 2


class Revoking(Server):
    """Revokes every token once, in the middle of the run."""

    revoked = False

    def post(self, path: str, body: Any, authorization: str | None) -> bytes:
        if len(self.requests) == 4 and not self.revoked:
            self.revoked = True
            self.revoke_tokens()
        return super().post(path, body, authorization)


def test_a_rejected_token_is_renewed_once(sync: Sync, company: Company) -> None:
    with Revoking(company) as server:
        run = load(sync, oauth(server.url, page_size=20, max_concurrent_requests=1))
    assert run.code == 0
    assert [r.status for r in server.requests].count(401) == 1
    assert len([r for r in server.requests if r.path == "/v2/token"]) == 2
    assert "try 2" not in run.log


# Answers that cannot be right.


def record(**fields: Any) -> dict[str, Any]:
    return {
        "productName": "Outbound SMS",
        "productCategory": "sms",
        "startDate": "2025-09-20",
        "endDate": "2025-09-20",
        "usage": {"amount": "3", "unit": "segments"},
        "price": {"amount": 12345678901.000000000001, "currency": "USD"},
        **fields,
    }


def page(*records: Any, token: Any = None, **fields: Any) -> dict[str, Any]:
    meta = {"key": "items", "pageSize": 20, "previousToken": None, "nextToken": token}
    return {"asOf": "2025-10-05", "records": list(records), "meta": meta, **fields}


def answering(*pages: Any, token: dict[str, Any] | None = None) -> Callable[[Request], Answer]:
    """Answer with these pages, one for each request, and then always with the last one."""
    left = list(pages)

    def answer(request: Request) -> Answer:
        if request.path == "/v2/token":
            given = {"access_token": ACCESS_TOKEN, "token_type": "bearer", "expires_in": 3600}
            return Answer.json(given if token is None else token)
        found = left.pop(0) if len(left) > 1 else left[0]
        return found if isinstance(found, Answer) else Answer.json(found)

    return answer


def one_group(server: LocalServer, **more: Any) -> dict[str, Any]:
    only = {"client_secret": SECRET, "end_date": f"{FIRST}", **more}
    return oauth(server.url, GROUP, **only)


def test_undocumented_behaviour_of_the_api_is_as_the_reference_says(sync: Sync) -> None:
    with serve(answering(page(record(), token="t1"), page(record(productName="MMS")))) as server:
        run = load(sync, one_group(server))
    assert run.code == 0
    token, first, second = server.requests
    assert dict(parse_qsl(token.body.decode())) == {
        "grant_type": "client_credentials",
        "client_id": CLIENT_ID,
        "client_secret": SECRET,
    }
    assert first.path == second.path == f"/v2/Usage/BillingGroups/{GROUP}/Records"
    assert first.headers["Authorization"] == f"Bearer {ACCESS_TOKEN}"
    asked = {
        "startDate": "2025-09-20",
        "endDate": "2025-09-20",
        "aggregationPeriod": "DAILY",
        "pageSize": 1000,
    }
    assert (first.json, second.json) == (asked, {**asked, "pageToken": "t1"})
    assert [row["product_name"] for row in run.records(DAILY)] == ["MMS", "Outbound SMS"]


def test_a_row_has_all_fields_and_exact_amounts(sync: Sync) -> None:
    exact = Answer(
        b'{"asOf": "2025-10-05", "records": [{"productName": "Outbound SMS", "productCategory": '
        b'"sms", "startDate": "2025-09-20", "endDate": "2025-09-20", "usage": {"amount": "66505", '
        b'"unit": "segments"}, "price": {"amount": 1012345678901.000000000001, "currency": "USD"}'
        b'}, {"productName": "Credit", "productCategory": "adjustments", "startDate": "2025-09-20"'
        b', "endDate": "2025-09-20", "usage": null, "price": {"amount": -1e-7}, "newField": 1}], '
        b'"meta": {"nextToken": null}}'
    )
    with serve(answering(exact)) as server:
        run = load(sync, one_group(server))
    credit, sms = run.records(DAILY)
    assert sms == {
        "billing_group_id": GROUP,
        "as_of": "2025-10-05",
        "product_name": "Outbound SMS",
        "product_category": "sms",
        "start_date": "2025-09-20",
        "end_date": "2025-09-20",
        "usage": 66505,
        "usage_unit": "segments",
        "price": Decimal("1012345678901.000000000001"),
        "price_unit": "USD",
    }
    assert (credit["usage"], credit["usage_unit"], credit["price_unit"]) == (None, None, None)
    assert credit["price"] == Decimal("-0.0000001")
    assert run.log.count("field 'newField' is new to this version") == 1


WRONG = {
    "no records": ({"meta": {}}, "answered without records or meta"),
    "records that are not a list": (page() | {"records": {}}, "answered without records or meta"),
    "no meta": ({"records": []}, "answered without records or meta"),
    "a record that is not an object": (
        page(7),
        "record 1 of a page of 2025-09-20: it is not a JSON object",
    ),
    "no product": (
        page(record(productName=None)),
        "record 1 of a page of 2025-09-20: its productName is",
    ),
    "no date": (page(record(startDate="soon")), "its startDate is not a date"),
    "an amount that is not a number": (
        page(record(price={"amount": "1,0"})),
        "its amount is not a number",
    ),
    "a price of another type": (page(record(price=[1])), "its price is not a JSON object"),
    "an unreadable asOf": (page(asOf="now"), "its asOf is not a date"),
    "another day": (
        page(record(startDate="2025-09-19", endDate="2025-09-19")),
        "rows of other days, 2025-09-19",
    ),
    "a whole month": (
        page(record(endDate="2025-09-30")),
        "rows of other days, 2025-09-20..2025-09-30",
    ),
    "two rows of one key": (
        page(record(), record(price={"amount": 1, "currency": "EUR"})),
        "two rows with different values for 'Outbound SMS' on 2025-09-20",
    ),
    "a repeated token": (page(record(), token="a"), "the first page again"),
    "a token of another type": (page(record(), token=["a"]), "nextToken is not text"),
}


@pytest.mark.parametrize(("answer", "says"), WRONG.values(), ids=WRONG.keys())
def test_an_invalid_response_is_an_error_and_no_row_is_emitted(
    sync: Sync, answer: Any, says: str
) -> None:
    with serve(answering(answer)) as server:
        run = load(sync, one_group(server))
    assert (run.code, run.records(DAILY)) == (1, [])
    assert says in run.last_line
    assert "replication_key_value" not in f"{run.states[-1]}"


def test_pages_that_form_a_cycle_are_an_error(sync: Sync) -> None:
    with serve(answering(*(page(record(productName=n), token=n) for n in "abca"))) as server:
        run = load(sync, one_group(server))
    assert (run.code, run.records(DAILY)) == (1, [])
    assert "the paging returns to an earlier page" in run.last_line


def test_a_duplicate_row_is_emitted_once(sync: Sync) -> None:
    with serve(answering(page(record(), token="a"), page(record()))) as server:
        run = load(sync, one_group(server))
    assert (run.code, len(run.records(DAILY))) == (0, 1)
    assert "1 duplicate row skipped" in run.log


def test_an_empty_next_token_ends_the_paging(sync: Sync) -> None:
    with serve(answering(page(record(), token=""))) as server:
        assert load(sync, one_group(server)).code == 0


def test_a_group_that_is_listed_twice_is_read_once(sync: Sync) -> None:
    with serve(answering(page(record()))) as server:
        run = load(sync, one_group(server, billing_group_ids=[GROUP, GROUP]))
    assert (run.code, len(run.records(DAILY))) == (0, 1)


def test_the_token_url_receives_only_the_credentials_of_the_app(sync: Sync, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    with serve(answering(page(record()))) as server:
        assert sync(one_group(server), env={"NETRC": str(netrc)}).code == 0
        token = next(r for r in server.requests if r.path == "/v2/token")
    assert "Authorization" not in token.headers


def test_paging_continues_after_an_empty_page_with_a_token(sync: Sync) -> None:
    with serve(answering(page(token="a"), page(record()))) as server:
        assert len(load(sync, one_group(server)).records(DAILY)) == 1


TOKENS = {
    "no token": ({"expires_in": 3600}, "oauth_token_url answered without a valid access_token"),
    "an empty token": ({"access_token": ""}, "without a valid access_token"),
    "a token of another type": ({"access_token": [ACCESS_TOKEN]}, "without a valid access_token"),
    "a token with a line break": (
        {"access_token": f"{ACCESS_TOKEN}\r\nX: y"},
        "without a valid access",
    ),
}


@pytest.mark.parametrize(("token", "says"), TOKENS.values(), ids=TOKENS.keys())
def test_an_invalid_access_token_is_an_error(sync: Sync, token: dict[str, Any], says: str) -> None:
    with serve(answering(page(record()), token=token)) as server:
        run = load(sync, one_group(server))
    assert run.code == 1
    assert says in run.last_line


@pytest.mark.parametrize("lifetime", [{}, {"expires_in": None}, {"expires_in": "soon"}])
def test_a_token_without_a_lifetime_is_used(sync: Sync, lifetime: dict[str, Any]) -> None:
    with serve(answering(page(record()), token={"access_token": "t", **lifetime})) as server:
        assert load(sync, one_group(server)).code == 0


def test_a_token_that_a_server_repeats_is_not_logged(sync: Sync) -> None:
    echo = Answer.error(400, 20001, f"Bearer {ACCESS_TOKEN} of {GROUP} with {SECRET}")
    with serve(answering(echo)) as server:
        settings = one_group(server)
        run = sync(settings, env={"TAP_TWILIO_USAGE_LOGLEVEL": "DEBUG"})
    assert run.code == 1
    assert "Bearer *** of *** with ***" in run.last_line
    for secret in (ACCESS_TOKEN, GROUP, SECRET):
        assert secret not in run.log


def test_no_group_id_is_logged_at_debug(sync: Sync) -> None:
    with serve(answering(page(record()))) as server:
        run = sync(one_group(server), env={"TAP_TWILIO_USAGE_LOGLEVEL": "DEBUG"})
    assert run.code == 0
    for secret in (ACCESS_TOKEN, SECRET, GROUP):
        assert secret not in run.log


def test_a_failing_token_url_is_retried(sync: Sync) -> None:
    good = answering(page(record()))
    answers = iter([Answer.error(503, 20503)])

    def answer(request: Request) -> Answer:
        return next(answers, None) or good(request)

    with serve(answer) as server:
        run = load(sync, one_group(server))
    assert run.code == 0
    assert "oauth_token_url" in run.log
    assert "try 2" in run.log


def test_an_unexpected_answer_of_the_token_url_is_an_error(sync: Sync) -> None:
    with serve(lambda _: Answer.json({"error": "invalid_client"}, 400)) as server:
        run = load(sync, one_group(server))
    assert run.code == 1
    assert "oauth_token_url answered 400; check client_id and client_secret" in run.last_line
