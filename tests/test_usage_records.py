"""The stream `usage_records_daily`, against a small Twilio server in the test."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from sandbox import AUTH_TOKEN, MAIN_SID, Company, Server
from tap_twilio_usage.twilio.periods import today
from tests.conftest import Sync, bookmark, config
from tests.http_server import Answer, Request, serve
from tests.twilio import SID, account, between, page, record

DAY = {"calls": "2.50", "calls-inbound": "1.5", "sms": "0", "totalprice": "2.80"}
THREE = dict.fromkeys(between("2026-01-01", "2026-01-03"), DAY)


def partition(**fields: Any) -> dict[str, Any]:
    context = {"account_sid": SID, "includes_subaccounts": True}
    return {"bookmarks": {"usage_records_daily": {"partitions": [{"context": context, **fields}]}}}


def at(day: str, *used: str) -> dict[str, Any]:
    return partition(
        replication_key="start_date", replication_key_value=day, used_categories=list(used)
    )


def asked_for_all_categories(requests: list[Request]) -> list[Mapping[str, str]]:
    daily = (r.query for r in requests if r.path.endswith("Daily.json"))
    return [query for query in daily if "Category" not in query]


def asked_days(requests: list[Request]) -> list[str]:
    daily = asked_for_all_categories(requests)
    return sorted(day for q in daily for day in between(q["StartDate"], q["EndDate"]))


def changed(days: dict[str, Any], **change: Any) -> Callable[[Request], Answer]:
    """Return the answers of the account with `change` applied to every daily record."""

    def answer(request: Request) -> Answer:
        good = account(days)(request)
        if not request.path.endswith("Daily.json"):
            return good
        rows = [{**row, **change} for row in json.loads(good.body)["usage_records"]]
        return Answer.json(page(rows))

    return answer


# Emitted rows.


def test_a_row_has_twilios_fields_and_those_of_the_tap(sync: Sync) -> None:
    with serve(account({"2026-01-01": DAY})) as server:
        run = sync(config(server.url, end_date="2026-01-01"))
    assert run.code == 0
    assert run.records()[0] == {
        "account_sid": SID,
        "api_version": "2010-04-01",
        "as_of": "2026-02-01T00:00:00+00:00",
        "category": "calls",
        "description": "Calls",
        "count": Decimal("2.50"),
        "count_unit": "",
        "usage": Decimal("2.50"),
        "usage_unit": "units",
        "price": Decimal("2.50"),
        "price_unit": "usd",
        "start_date": "2026-01-01",
        "end_date": "2026-01-01",
        "includes_subaccounts": True,
        "service": "Voice",
        "billing_kind": "usage",
        "parent_category": "totalprice",
        "dedup_role": "rollup",
        "deduplicated_price": Decimal("1.00"),
        "counts_in_total": False,
    }
    assert {r["category"]: r["deduplicated_price"] for r in run.records()} == {
        "calls": Decimal("1.00"),
        "calls-inbound": Decimal("1.5"),
        "totalprice": Decimal("0.30"),
    }


def test_decimals_keep_their_digits(sync: Sync) -> None:
    prices = {
        "calls": "12345678901234567890.123456789012",
        "sms": "-0.000001",
        "mms": "1E-7",
        "pv": "0.10",
    }
    with serve(account({"2026-01-01": prices})) as server:
        run = sync(config(server.url, end_date="2026-01-01"))
    assert {r["category"]: str(r["price"]) for r in run.records()} == prices


def test_a_price_that_is_a_json_number_is_exact_too(sync: Sync) -> None:
    body = json.dumps(page([record("calls", "PRICE")])).replace(
        '"PRICE"', "1234567890.123456789012"
    )

    def answer(request: Request) -> Answer:
        return Answer(body.encode()) if "Records" in request.path else Answer.error(401, 20003)

    with serve(answer) as server:
        run = sync(config(server.url, end_date="2026-01-01"))
    assert [str(r["price"]) for r in run.records()] == ["1234567890.123456789012"]


def test_days_are_emitted_in_order_with_a_state_after_each(sync: Sync) -> None:
    days = dict.fromkeys(between("2026-01-01", "2026-01-20"), DAY)
    with serve(account(days)) as server:
        run = sync(
            config(server.url, end_date="2026-01-20", page_size=8, max_concurrent_requests=8)
        )
    assert run.code == 0
    seen: list[str] = []
    for message in run.messages:
        if message["type"] == "RECORD" and message["stream"] == "usage_records_daily":
            seen.append(message["record"]["start_date"])
        elif message["type"] == "STATE" and bookmark(message["value"]):
            assert bookmark(message["value"]) == seen[-1]
    assert seen == sorted(seen)
    marks = [mark for mark in run.bookmarks if mark]
    # The last two STATEs say how the days compare with AllTime, and that the run is complete.
    assert marks == [*between("2026-01-01", "2026-01-20"), "2026-01-20", "2026-01-20"]


def test_windows_fill_whole_pages(sync: Sync) -> None:
    days = dict.fromkeys(between("2026-01-01", "2026-01-31"), DAY)
    with serve(account(days)) as server:
        sync(config(server.url, end_date="2026-01-31", page_size=13))
    daily = asked_for_all_categories(server.requests)
    lengths = [len(between(q["StartDate"], q["EndDate"])) for q in daily]
    assert sorted(lengths) == [5, 13, 13]  # four rows a day: 52 rows fill four pages
    assert {q["PageSize"] for q in daily} == {"13"}
    # With AllTime, the account itself, two for the months, and the list of subaccounts.
    assert len(server.requests) == 8


def test_windows_adapt_to_the_number_of_rows_per_day(sync: Sync) -> None:
    """AllTime has the number of categories today; earlier days had fewer."""
    few, many = ({f"calls-{number}": "1" for number in range(size)} for size in (4, 8))
    days = {**dict.fromkeys(between("2026-01-01", "2026-01-20"), few), "2026-01-21": many}
    with serve(account(days)) as server:
        sync(config(server.url, end_date="2026-01-20", page_size=16, max_concurrent_requests=1))
    daily = asked_for_all_categories(server.requests)
    lengths = [len(between(q["StartDate"], q["EndDate"])) for q in daily]
    assert lengths == [2, 4, 4, 4, 4, 2]


@pytest.mark.nightly
def test_a_year_takes_few_more_requests_than_full_pages(sync: Sync) -> None:
    company = Company(since=date(2025, 1, 1), today=date(2025, 12, 31), categories=290)
    with Server(company) as server:
        run = sync(
            config(
                server.url,
                auth_token=AUTH_TOKEN,
                account_sid=MAIN_SID,
                start_date="2025-01-01",
                end_date="2025-12-31",
                skip_unused_categories=False,
            )
        )
    fewest = math.ceil(len(run.records()) / 1000)
    asked = [r for r in server.requests if r.path.endswith("Daily.json")]
    assert len({tuple(sorted(r.query.items())) for r in asked}) == len(asked)
    assert fewest <= len(asked) <= fewest * 1.1


def test_following_pages_are_fetched(sync: Sync) -> None:
    def answer(request: Request) -> Answer:
        good = account(THREE)(request)
        if not request.path.endswith("Daily.json"):
            return good
        rows, number = json.loads(good.body)["usage_records"], int(request.query.get("Page", 0))
        more = f"{request.path}?Page={number + 1}&StartDate=2026-01-01&EndDate=2026-01-03"
        link = more if (number + 1) * 5 < len(rows) else None
        return Answer.json(page(rows[number * 5 : number * 5 + 5], link))

    with serve(answer) as server:
        run = sync(config(server.url, end_date="2026-01-03"))
    assert len(run.records()) == 9


@pytest.mark.parametrize(
    ("subaccounts", "includes"), [("rolled_up", "true"), ("excluded", "false")]
)
def test_requests_include_subaccounts_according_to_the_setting(
    sync: Sync, subaccounts: str, includes: str
) -> None:
    with serve(account(THREE)) as server:
        run = sync(config(server.url, end_date="2026-01-03", subaccounts=subaccounts))
    asked = {query["IncludeSubaccounts"] for query in asked_for_all_categories(server.requests)}
    assert asked == {includes}
    assert {r["includes_subaccounts"] for r in run.records()} == {includes == "true"}


def test_an_api_key_authenticates_requests(sync: Sync) -> None:
    settings = config("", api_key_sid="SK" + "1" * 32, api_key_secret="key-secret")
    del settings["auth_token"]
    with serve(account(THREE, created=None)) as server:
        run = sync({**settings, "api_url": server.url, "end_date": "2026-01-03"})
    assert run.code == 0
    assert len(run.records()) == 9
    assert "key-secret" not in run.log
    signatures = {r.headers["Authorization"] for r in server.requests}
    assert len(signatures) == 1
    assert "U0sx" in signatures.pop()  # "SK1", base64


# Unused categories.


def test_only_zero_rows_of_unused_categories_are_skipped(sync: Sync) -> None:
    days = {
        "2026-01-01": {"calls": "1", "sms": "0", "mms": "0", "totalprice": "1"},
        "2026-01-02": {"calls": "0", "sms": "2", "mms": "0", "totalprice": "2"},
        "2026-01-03": {"calls": "0", "sms": "0", "mms": "0", "totalprice": "0"},
    }
    with serve(account(days, all_time={"calls": "1", "sms": "0", "mms": "0"})) as server:
        run = sync(config(server.url, end_date="2026-01-03"))
    emitted = [(r["start_date"][-2:], r["category"]) for r in run.records()]
    assert emitted == [
        ("01", "calls"),
        ("01", "totalprice"),
        ("02", "calls"),
        ("02", "sms"),
        ("02", "totalprice"),
        ("03", "calls"),
        ("03", "sms"),
        ("03", "totalprice"),
    ]


@pytest.mark.parametrize("field", ["count", "usage", "price"])
def test_a_row_with_any_amount_is_not_a_zero_row(sync: Sync, field: str) -> None:
    empty = {"price": "0", "usage": None, "count": "0.0"}

    def answer(request: Request) -> Answer:
        if "Records" not in request.path:
            return Answer.error(401, 20003)
        rows = [record("sms", "0") | empty, record("mms", "0") | empty | {field: "1"}]
        return Answer.json(page(rows if request.path.endswith("Daily.json") else []))

    with serve(answer) as server:
        run = sync(config(server.url, end_date="2026-01-01"))
    assert [r["category"] for r in run.records()] == ["mms"]


def test_all_rows_are_emitted_with_skip_unused_categories_off(sync: Sync) -> None:
    with serve(account(THREE)) as server:
        run = sync(config(server.url, end_date="2026-01-03", skip_unused_categories=False))
    assert len(run.records()) == 12


def test_a_category_of_an_earlier_run_is_emitted_after_a_restatement_to_zero(sync: Sync) -> None:
    zero = {"2026-01-01": {"sms": "0", "mms": "0", "totalprice": "0"}}
    with serve(account(zero)) as server:
        run = sync(
            config(server.url, end_date="2026-01-01"), state=at("2026-01-01", "sms", "totalprice")
        )
    assert [(r["category"], r["price"]) for r in run.records()] == [("sms", 0), ("totalprice", 0)]


def test_the_state_names_a_category_before_its_first_row_is_emitted(sync: Sync) -> None:
    with serve(account(THREE)) as server:
        run = sync(config(server.url, end_date="2026-01-03"))
    named: set[str] = set()
    for message in run.messages:
        if message["type"] == "STATE":
            stream = message["value"]["bookmarks"].get("usage_records_daily", {})
            for part in stream.get("partitions", []):
                named |= set(part.get("used_categories", []))
        elif message["type"] == "RECORD" and message["stream"] == "usage_records_daily":
            assert message["record"]["category"] in named


def test_a_total_of_zero_with_a_remainder_is_emitted(sync: Sync) -> None:
    days = {"2026-01-01": {"calls": "5", "totalprice": "0"}}
    with serve(account(days)) as server:
        run = sync(config(server.url, end_date="2026-01-01"))
    assert [r["deduplicated_price"] for r in run.records()] == [5, -5]


# Days to read.


def test_an_early_start_date_is_replaced_by_the_day_the_account_was_created(sync: Sync) -> None:
    created = "Fri, 02 Jan 2026 23:30:00 -0100"  # the 3rd in GMT
    days = dict.fromkeys(between("2026-01-03", "2026-01-05"), DAY)
    with serve(account(days, created=created)) as server:
        run = sync(config(server.url, start_date="2010-01-01", end_date="2026-01-05"))
    assert run.code == 0
    assert asked_days(server.requests) == between("2026-01-03", "2026-01-05")


def test_a_start_date_after_the_account_was_created_is_used(sync: Sync) -> None:
    with serve(account(THREE, created="Wed, 01 Jan 2025 00:00:00 +0000")) as server:
        sync(config(server.url, start_date="2026-01-02", end_date="2026-01-03"))
    assert asked_days(server.requests) == between("2026-01-02", "2026-01-03")


def test_an_account_resource_that_cannot_be_read_leaves_start_date_as_it_is(sync: Sync) -> None:
    with serve(account(THREE, created=None)) as server:
        run = sync(config(server.url, end_date="2026-01-03"))
    assert run.code == 0
    assert asked_days(server.requests) == between("2026-01-01", "2026-01-03")
    assert "try 2" not in run.log


@pytest.mark.parametrize(
    ("settings", "first"),
    [
        ({"lookback_days": 3}, "2026-01-17"),
        ({"lookback_days": 0}, "2026-01-20"),
        ({"lookback_days": 3, "start_date": "2026-01-19"}, "2026-01-19"),
    ],
)
def test_an_incremental_run_reads_the_lookback_again(
    sync: Sync, settings: dict[str, Any], first: str
) -> None:
    days = dict.fromkeys(between("2026-01-01", "2026-01-22"), DAY)
    with serve(account(days)) as server:
        run = sync(config(server.url, end_date="2026-01-22", **settings), state=at("2026-01-20"))
    assert run.code == 0
    assert asked_days(server.requests) == between(first, "2026-01-22")
    marks = [mark for mark in run.bookmarks if mark]
    assert marks == sorted(marks)
    assert (marks[0], marks[-1]) == ("2026-01-20", "2026-01-22")


def test_the_default_start_date_leaves_no_gap_after_a_long_pause(sync: Sync) -> None:
    old = today() - timedelta(days=300)
    settings = config("", lookback_days=1, end_date=f"{old + timedelta(days=1)}")
    del settings["start_date"]
    with serve(account({f"{old}": DAY})) as server:
        sync({**settings, "api_url": server.url}, state=at(f"{old}"))
    assert asked_days(server.requests)[0] == f"{old - timedelta(days=1)}"


def test_the_default_start_date_is_six_months_ago(sync: Sync) -> None:
    settings = config("")
    del settings["start_date"], settings["end_date"]
    before = today()
    with serve(account({"2020-01-01": DAY}, created=None)) as server:
        sync({**settings, "api_url": server.url})
    days = asked_days(server.requests)
    assert days[0].endswith("-01")
    assert 180 <= (before - datetime.fromisoformat(days[0]).date()).days <= 215
    assert f"{before}" <= days[-1] <= f"{today()}"


def test_a_bookmark_after_today_is_reset_to_the_newest_day_with_records(sync: Sync) -> None:
    state = partition(
        replication_key="start_date", replication_key_value="2099-01-01", last_rows="2026-01-02"
    )
    with serve(account(THREE)) as server:
        run = sync(config(server.url, end_date="2026-01-03", lookback_days=0), state=state)
    assert (run.code, run.bookmarks[-1]) == (0, "2026-01-03")
    assert {row["start_date"] for row in run.records()} == {"2026-01-02", "2026-01-03"}
    assert "its bookmark, 2099-01-01, is after today" in run.log


def test_no_day_after_today_is_requested_or_bookmarked(sync: Sync) -> None:
    before = today()
    start = f"{before - timedelta(days=1)}"
    with serve(account({"2020-01-01": DAY})) as server:
        run = sync(config(server.url, start_date=start, end_date="2099-12-31"))
    last = asked_days(server.requests)[-1]
    assert f"{before}" <= last <= f"{today()}"
    assert run.bookmarks[-1] == last


def test_each_choice_of_subaccounts_has_its_own_bookmark(sync: Sync) -> None:
    with serve(account(THREE)) as server:
        run = sync(
            config(server.url, end_date="2026-01-03", subaccounts="excluded"),
            state=at("2026-01-03"),
        )
    partitions = run.states[-1]["bookmarks"]["usage_records_daily"]["partitions"]
    assert [
        (p["context"]["includes_subaccounts"], p.get("replication_key_value")) for p in partitions
    ] == [(False, "2026-01-03")]
    assert asked_days(server.requests) == between("2026-01-01", "2026-01-03")


def test_a_change_of_subaccounts_and_back_overwrites_all_rows(sync: Sync) -> None:
    """A target that upserts by key has each dollar once after each run."""
    table: dict[tuple[str, str], dict[str, Any]] = {}
    state: Any = None
    both = {"calls": "5", "sms": "3", "totalprice": "8"}
    own = {"calls": "5", "sms": "0", "totalprice": "5"}
    days = between("2026-01-01", "2026-01-09")

    def answer(request: Request) -> Answer:
        inside = request.query.get("IncludeSubaccounts") == "true"
        return account(dict.fromkeys(days, both if inside else own))(request)

    with serve(answer) as server:
        for subaccounts in ("rolled_up", "excluded", "rolled_up", "rolled_up"):
            later = (
                "2026-01-04" if state else "2026-01-01"
            )  # a change reads again from the first day that was read
            run = sync(
                config(
                    server.url,
                    start_date=later,
                    end_date="2026-01-09",
                    lookback_days=2,
                    subaccounts=subaccounts,
                ),
                state=state,
            )
            state = run.states[-1]
            table |= {(r["category"], r["start_date"]): r for r in run.records()}
            expected = 8 if subaccounts == "rolled_up" else 5
            for day in days:
                rows = [r for (_, start), r in table.items() if start == day]
                assert sum(r["deduplicated_price"] for r in rows) == expected
                assert {r["includes_subaccounts"] for r in rows} == {subaccounts == "rolled_up"}
    assert {r["start_date"] for r in run.records()} == {"2026-01-07", "2026-01-08", "2026-01-09"}


def test_a_start_date_that_leaves_a_gap_is_logged(sync: Sync) -> None:
    with serve(account(THREE)) as server:
        run = sync(
            config(server.url, start_date="2026-01-03", end_date="2026-01-03"),
            state=at("2026-01-01"),
        )
    assert "start_date leaves out days after the bookmark, 2026-01-01" in run.log


def test_a_lookback_longer_than_all_dates_starts_on_start_date(sync: Sync) -> None:
    with serve(account(THREE)) as server:
        run = sync(
            config(server.url, end_date="2026-01-03", lookback_days=10**7), state=at("2026-01-03")
        )
    assert run.code == 0
    assert asked_days(server.requests) == between("2026-01-01", "2026-01-03")


def test_a_404_means_no_data_if_the_account_is_readable(sync: Sync) -> None:
    """The window starts before the account was created, and the account resource cannot be read."""
    days = {"2026-01-03": DAY}

    def answer(request: Request) -> Answer:
        if request.query.get("StartDate", "2026-01-03") < "2026-01-03":
            return Answer.error(404, 20404, "The requested resource was not found")
        return account(days, created=None)(request)

    with serve(answer) as server:
        run = sync(config(server.url, end_date="2026-01-04"))
    assert run.code == 0
    assert {r["start_date"] for r in run.records()} == {"2026-01-03", "2026-01-04"}
    assert run.bookmarks[-1] == "2026-01-04"


def test_a_404_for_the_account_itself_is_an_error(sync: Sync) -> None:
    with serve(lambda _: Answer.error(404, 20404, "not found")) as server:
        run = sync(config(server.url))
    assert (run.code, run.records()) == (1, [])
    assert "code 20404" in run.last_line


def test_days_without_rows_move_the_bookmark(sync: Sync) -> None:
    def answer(request: Request) -> Answer:
        good = account(THREE)(request)
        return Answer.json(page([])) if request.path.endswith("Daily.json") else good

    with serve(answer) as server:
        settings = config(server.url, end_date="2026-01-03", lookback_days=0)
        run = sync(settings, state=at("2026-01-01", "sms"))
    assert (run.code, run.records(), run.bookmarks[-1]) == (0, [], "2026-01-03")
    assert "has no record for 2026-01-01..2026-01-03 (3 days)" in run.log


# Invalid responses.


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"price": "1,234.50"}, "its price is not a number"),
        ({"price": "NaN"}, "its price is not a number"),
        ({"price": True}, "its price is not a number"),
        ({"count": {}}, "its count is not a number"),
        ({"usage": "1" * 100}, "its usage is not a number"),
        ({"start_date": "2026-13-01"}, "its start_date cannot be read"),
        ({"start_date": None}, "its start_date is not a date"),
        ({"end_date": "tomorrow"}, "its end_date is not a date"),
        ({"as_of": "yesterday"}, "its as_of is not a date-time"),
        ({"category": None}, "its category is missing"),
        ({"category": " "}, "its category is missing"),
        ({"account_sid": None}, "its account_sid is missing"),
        ({"description": []}, "its description is not text"),
        ({"account_sid": "AC" + "f" * 32}, "it is of another account"),
        ({"start_date": "2025-12-31", "end_date": "2025-12-31"}, "which was not requested"),
        ({"end_date": "2026-01-31"}, "which was not requested"),
    ],
)
def test_an_invalid_record_is_an_error_and_no_row_of_its_day_is_emitted(
    sync: Sync, change: dict[str, Any], says: str
) -> None:
    with serve(changed({"2026-01-01": DAY}, **change)) as server:
        run = sync(config(server.url, end_date="2026-01-01"))
    assert run.code == 1
    assert run.records() == []
    assert run.bookmarks[-1] is None
    assert says in run.last_line
    assert run.log.count("ERROR") == 1
    assert "Traceback" not in run.log
    assert "1,234.50" not in run.log


def test_a_record_that_is_not_an_object_is_an_error_with_its_position(sync: Sync) -> None:
    def answer(request: Request) -> Answer:
        good = account(THREE)(request)
        if not request.path.endswith("Daily.json"):
            return good
        return Answer.json(page([*json.loads(good.body)["usage_records"], "row"]))

    with serve(answer) as server:
        run = sync(config(server.url, end_date="2026-01-03"))
    assert run.code == 1
    assert "usage record 13 of 2026-01-01..2026-01-03" in run.last_line


def test_a_server_that_ignores_the_dates_is_detected(sync: Sync) -> None:
    everything = dict.fromkeys(between("2026-01-01", "2026-01-09"), DAY)

    def answer(request: Request) -> Answer:
        if request.path.endswith("Daily.json"):
            query = {**request.query, "StartDate": "2026-01-01", "EndDate": "2026-01-09"}
            return account(everything)(Request(request.path, query, request.headers))
        return account(everything)(request)

    with serve(answer) as server:
        run = sync(config(server.url, start_date="2026-01-05", end_date="2026-01-06"))
    assert (run.code, run.records()) == (1, [])


def test_duplicate_rows_are_emitted_once(sync: Sync) -> None:
    def answer(request: Request) -> Answer:
        good = account(THREE)(request)
        rows = json.loads(good.body).get("usage_records", [])
        return Answer.json(page(rows * 2)) if request.path.endswith("Daily.json") else good

    with serve(answer) as server:
        run = sync(config(server.url, end_date="2026-01-03"))
    assert len(run.records()) == 9
    assert "12 duplicate rows skipped" in run.log


# Warnings.


def test_unknown_fields_and_categories_are_logged_once(sync: Sync) -> None:
    day = {"calls": "2", "calls-satellite": "1", "quantum": "3", "unused": "0", "totalprice": "5"}
    days = dict.fromkeys(between("2026-01-01", "2026-01-03"), day)
    with serve(changed(days, carbon="12 kg")) as server:
        run = sync(config(server.url, end_date="2026-01-03"))
    assert run.code == 0
    new = {r["category"]: r for r in run.records()}
    assert "unused" not in run.log
    assert (new["calls-satellite"]["parent_category"], new["calls-satellite"]["service"]) == (
        "calls",
        "Other",
    )
    assert new["quantum"]["parent_category"] == "totalprice"
    for said in ("'calls-satellite' is new.* 'calls'", "'quantum'", "field 'carbon' is new"):
        assert len(re.findall(f"WARNING .*usage_records_daily .*{said}", run.log)) == 1


def test_a_day_without_a_total_has_no_deduplicated_price(sync: Sync) -> None:
    days = dict.fromkeys(between("2026-01-01", "2026-01-02"), {"calls": "2"})
    with serve(account(days)) as server:
        run = sync(config(server.url, end_date="2026-01-02"))
    rows = [(r["deduplicated_price"], r["counts_in_total"]) for r in run.records()]
    assert rows == [(None, None), (None, None)]
    assert run.log.count("totalprice is missing or has no price") == 1


def test_each_currency_is_deduplicated_separately(sync: Sync) -> None:
    def answer(request: Request) -> Answer:
        if not request.path.endswith("Daily.json"):
            return account({"2026-01-01": DAY})(request)
        rows = [
            record("calls", "2"),
            record("totalprice", "2"),
            record("sms", "7", price_unit="eur"),
            record("mms", None, price_unit=None, usage="3"),
        ]
        return Answer.json(page(rows))

    with serve(answer) as server:
        run = sync(config(server.url, end_date="2026-01-01"))
    shares = {r["category"]: r["deduplicated_price"] for r in run.records()}
    assert shares == {"calls": 2, "mms": 0, "sms": None, "totalprice": 0}
    assert "more than one currency: eur, usd" in run.log
    assert "category 'mms' has usage but no price" in run.log


def test_a_total_without_a_currency_has_the_only_currency(sync: Sync) -> None:
    def answer(request: Request) -> Answer:
        rows = [record("sms", "5"), record("totalprice", "5", price_unit=None)]
        return Answer.json(page(rows)) if "Records" in request.path else Answer.error(401, 20003)

    with serve(answer) as server:
        run = sync(config(server.url, end_date="2026-01-01"))
    assert {r["category"]: r["deduplicated_price"] for r in run.records()} == {
        "sms": 5,
        "totalprice": 0,
    }


def test_a_category_in_two_currencies_on_one_day_is_an_error(sync: Sync) -> None:
    def answer(request: Request) -> Answer:
        rows = [record("sms", "5"), record("sms", "7", price_unit="eur")]
        good = account({"2026-01-01": DAY})(request)
        return Answer.json(page(rows)) if request.path.endswith("Daily.json") else good

    with serve(answer) as server:
        run = sync(config(server.url, end_date="2026-01-01"))
    assert (run.code, run.records()) == (1, [])
    assert "category 'sms' has two currencies, 'usd' and 'eur'" in run.last_line


def test_all_time_records_need_no_dates(sync: Sync) -> None:
    def answer(request: Request) -> Answer:
        good = account(THREE)(request)
        if not request.path.endswith("AllTime.json"):
            return good
        rows = json.loads(good.body)["usage_records"]
        return Answer.json(
            page([{**r, "start_date": None, "end_date": "", "as_of": ""} for r in rows])
        )

    with serve(answer) as server:
        assert len(sync(config(server.url, end_date="2026-01-03")).records()) == 9


def test_an_unexplained_excess_is_logged(sync: Sync) -> None:
    days = {"2026-01-01": {"calls": "4", "calls-client": "5", "totalprice": "4"}}
    with serve(account(days)) as server:
        run = sync(config(server.url, end_date="2026-01-01"))
    assert "2026-01-01: the categories add up to 5 more than totalprice" in run.log


def test_the_log_ends_with_the_reconciliation(sync: Sync) -> None:
    with serve(account(THREE)) as server:
        run = sync(config(server.url, end_date="2026-01-03"))
    asked = "loading 2026-01-01..2026-01-03 (3 days) with at least 1 request"
    assert f"{SID}, including subaccounts: {asked}" in run.log
    assert f"{SID}: loaded 3 days, 9 rows" in run.log
    assert (
        "usd: totalprice 8.40, deduplicated 8.40 (0.90 of it in no category), "
        "sum of all categories 12.00" in run.log
    )
