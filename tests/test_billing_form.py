"""The form of requests for billing groups, which Twilio does not document: it is found out."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from itertools import count, product
from typing import Any

import pytest

from sandbox import BILLING_GROUP_IDS, CLIENT_ID, CLIENT_SECRET, BillingForm, Company, Server
from tap_twilio_usage.twilio.auth import OAuth, Unsigned
from tap_twilio_usage.twilio.billing_form import (
    Form,
    Place,
    TokenPlace,
    forms,
    next_page,
    other_next,
    records,
    token_places,
    unlisted_end,
)
from tap_twilio_usage.twilio.billing_groups import BillingGroup
from tap_twilio_usage.twilio.billing_lists import Lists
from tap_twilio_usage.twilio.errors import ApiError
from tap_twilio_usage.twilio.limits import Limits
from tap_twilio_usage.twilio.periods import DAILY, MONTHLY, Granularity, Window
from tests.clients import FAST, LOGGER, client
from tests.conftest import nightly_except
from tests.http_server import Answer, Request, serve

TODAY = date(2025, 10, 5)
DAYS = Window(date(2025, 10, 3), TODAY)
MONTHS = Window(date(2025, 8, 1), TODAY)
PAGE_SIZE = 150
PLACES: tuple[Any, ...] = ("json", "form", "query")
NEXT_PAGES: tuple[Any, ...] = ("body", "query", "get")
IGNORED = 0


@pytest.fixture(scope="module")
def company() -> Company:
    return Company(today=TODAY, since=date(2025, 8, 1), categories=60)


def lists(url: str, limits: Limits = FAST) -> Lists:
    oauth = OAuth(client(f"{url}/v2/token", Unsigned()), CLIENT_ID, CLIENT_SECRET)
    return Lists(client(url, oauth, limits=limits), PAGE_SIZE, LOGGER)


def groups(url: str, limits: Limits = FAST) -> list[BillingGroup]:
    common = lists(url, limits)
    return [BillingGroup(common, sid, n) for n, sid in enumerate(BILLING_GROUP_IDS, 1)]


Key = tuple[str, date, str, str]


def read(found: list[BillingGroup], granularity: Granularity, window: Window) -> dict[Key, Decimal]:
    return {
        (group.id, day, row["product_category"], row["product_name"]): row["price"]
        for group in found
        for day, rows in group.fetch_usage(granularity, window).items()
        for row in rows
    }


def truth(company: Company, granularity: Granularity, window: Window) -> dict[Key, Decimal]:
    return {
        (group, period.start, row.product.category, row.product.name): row.price
        for group in BILLING_GROUP_IDS
        for period in window.split(1, granularity)
        for row in company.billing_rows(group, *period)
    }


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if "takes" in each.getMessage()]


# Every form that Twilio may take.

REFUSALS = (IGNORED, 400, 405, 415, 422)
FORMS = [
    BillingForm(parameters, next_page, max_page_size, refusal, array, status)
    for (array, status), max_page_size, parameters, next_page, refusal in product(
        [("records", 200), ("items", 201)], [0, 100], PLACES, NEXT_PAGES, REFUSALS
    )
]
OFTEN = [FORMS[len(REFUSALS) * n + n % len(REFUSALS)] for n in range(36)]  # of 180
NAMES = {"json": "a JSON body", "form": "a form", "query": "a query"}
NAMES_OF_TOKENS = {"body": "the body", "query": "the query", "get": "a GET"}


def test_the_forms_of_each_run_have_every_combination() -> None:
    seen = {(form.parameters, form.next_page, form.max_page_size, form.array) for form in OFTEN}
    assert len(seen) == 3 * 3 * 2 * 2
    assert {form.refusal for form in OFTEN} == {*REFUSALS}


@pytest.mark.parametrize("form", nightly_except(OFTEN, FORMS), ids=str)
def test_every_form_is_found_out_and_all_rows_are_loaded(
    caplog: pytest.LogCaptureFixture, company: Company, form: BillingForm
) -> None:
    caplog.set_level(logging.INFO)
    with Server(company, billing=form) as server:
        found = groups(server.url)
        assert read(found, DAILY, DAYS) == truth(company, DAILY, DAYS)
        first = len(server.requests)
        assert read(found, MONTHLY, MONTHS) == truth(company, MONTHLY, MONTHS)
        later = {request.status for request in server.requests[first:]}
    (line,) = said(caplog)
    assert line == (
        f"billing groups: Twilio takes the parameters in {NAMES[form.parameters]}, pages of up to "
        f"{form.max_page_size or PAGE_SIZE}, and the token of the next page in "
        f"{NAMES_OF_TOKENS[form.next_page]}"
    )
    assert later == {form.status}  # nothing is tried twice


def test_a_form_that_is_ignored_is_noticed_though_the_rows_are_of_the_window(
    caplog: pytest.LogCaptureFixture, company: Company
) -> None:
    """Without parameters, the sandbox sends this month by months: one of those that are asked."""
    caplog.set_level(logging.INFO)
    with Server(company, billing=BillingForm("form", refusal=IGNORED)) as server:
        found = groups(server.url)
        assert read(found, MONTHLY, MONTHS) == truth(company, MONTHLY, MONTHS)
    assert "takes the parameters in a form" in said(caplog)[0]


def test_the_documented_form_takes_no_other_request(company: Company) -> None:
    with Server(company) as server:
        assert read(groups(server.url), DAILY, Window(TODAY, TODAY))
        assert [r.path.rpartition("/")[2] for r in server.requests] == [
            *("token", "Records", "Records")  # a page of each group
        ]


# Answers of which the test decides.

TOKEN = {"access_token": "t", "token_type": "bearer", "expires_in": 3600}
DAY = Window(TODAY, TODAY)


def record(name: str = "SMS", day: date = TODAY) -> dict[str, Any]:
    return {
        "productName": name,
        "productCategory": "sms",
        "startDate": f"{day}",
        "endDate": f"{day}",
        "usage": {"amount": "1", "unit": "segments"},
        "price": {"amount": 1, "currency": "USD"},
    }


def page(*rows: Any, token: str | None = None) -> Answer:
    return Answer.json({"asOf": f"{TODAY}", "records": rows, "meta": {"nextToken": token}})


def answering(answer: Callable[[Request], Answer]) -> Callable[[Request], Answer]:
    return lambda request: Answer.json(TOKEN) if "token" in request.path else answer(request)


def kind(request: Request) -> str:
    """Return where the parameters of a POST are."""
    return request.headers.get("Content-Type", "query").rpartition("/")[2]


def asked(requests: list[Request]) -> list[str]:
    return [kind(request) for request in requests if "token" not in request.path]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Answer.error(401, 20003, "Authenticate"), "Twilio refused the credentials (401"),
        (Answer.error(403, 20003), "Twilio refused the credentials (403"),
        (Answer.error(404, 20404), "check billing_group_ids, start_date and billing_api_url"),
        (Answer.error(400, 71001), "cannot use this version of the API"),
        (Answer.error(400, 71002, "Not eligible"), "billing group 1 answered 400: code 71002"),
        (Answer.error(404, 71003, "Not found"), "billing group 1 answered 404: code 71003"),
        (Answer.error(429, 20429), "gave up after 3 tries"),
        (Answer.error(500, 20500), "gave up after 3 tries"),
        (Answer.json({"records": []}), "billing group 1 answered without records or meta"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_error_that_is_not_of_the_form_starts_no_other_attempt(
    answer: Answer, says: str
) -> None:
    with serve(answering(lambda _: answer)) as server:
        group, _ = groups(server.url, Limits(tries=3, pace=1e6))
        with pytest.raises(ApiError) as raised:
            group.fetch_usage(DAILY, DAY)
    assert says in f"{raised.value}"
    assert set(asked(server.requests)) == {"json"}


def test_no_form_is_understood_is_one_line_with_each_answer() -> None:
    answers = {
        "json": Answer.error(400, 20001, "Invalid range"),
        "x-www-form-urlencoded": Answer.error(415, 20001),
        "query": Answer(b"<html>", 404),
    }
    with serve(answering(lambda request: answers[kind(request)])) as server:
        group, other = groups(server.url)
        with pytest.raises(ApiError) as raised:
            group.fetch_usage(DAILY, DAY)
        tried = asked(server.requests)
        for _ in range(3):  # windows that are read ahead
            with pytest.raises(ApiError):
                group.fetch_usage(DAILY, DAYS)
        assert asked(server.requests) == tried == ["json", "json", "x-www-form-urlencoded", "query"]
        with pytest.raises(ApiError):
            other.fetch_usage(DAILY, DAY)
    assert f"{raised.value}" == (
        "billing group 1: Twilio takes no form of parameters (JSON body, JSON body with 100 a "
        "page: 400: code 20001, Invalid range; form: 415: code 20001; query: 404); report this line"
    )
    assert asked(server.requests) == [*tried, *tried]


@pytest.mark.parametrize("refusal", [Answer.error(404, 20404), Answer.error(400, 20001)])
def test_days_before_the_group_existed_may_be_refused_alone(refusal: Answer) -> None:
    def answer(request: Request) -> Answer:
        return page(record()) if request.json["endDate"] == f"{TODAY}" else refusal

    with serve(answering(answer)) as server:
        group, _ = groups(server.url)
        assert [*group.fetch_usage(DAILY, DAYS)] == [TODAY]
        assert asked(server.requests) == ["json", "json"]


def test_rows_of_other_days_in_every_form_are_one_line() -> None:
    with serve(answering(lambda _: page(record(day=date(2025, 1, 1))))) as server:
        group, _ = groups(server.url)
        with pytest.raises(ApiError) as raised:
            group.fetch_usage(DAILY, DAY)
    assert "(JSON body, form, query: rows of other days, 2025-01-01)" in f"{raised.value}"


def test_a_token_that_is_taken_nowhere_is_one_line() -> None:
    def answer(request: Request) -> Answer:
        if not request.body:
            return Answer.error(405, 20004)
        if "pageToken" in request.query:
            return Answer.error(404, 20404)
        return page(record(), token="next")

    with serve(answering(answer)) as server:
        group, _ = groups(server.url)
        with pytest.raises(ApiError) as raised:
            group.fetch_usage(DAILY, DAY)
    assert f"{raised.value}" == (
        "billing group 1: Twilio takes the token of the next page nowhere (the body: the first "
        "page again; the query: 404: code 20404; a GET: 405: code 20004); report this line"
    )


def test_the_first_page_again_is_noticed_though_its_token_is_another() -> None:
    def answer(request: Request) -> Answer:
        if "pageToken" in request.query and not request.body:
            return page(record("MMS"))
        return page(record(), token=f"next {next(numbers)}")

    numbers = count()
    with serve(answering(answer)) as server:
        group, _ = groups(server.url)
        names = [row["product_name"] for row in group.fetch_usage(DAILY, DAY)[TODAY]]
    assert names == ["MMS", "SMS"]


def test_an_empty_list_decides_nothing_and_another_form_may_have_rows(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A server that does not look into a JSON body may have no row of what it sends by default."""
    caplog.set_level(logging.INFO)
    before = Window(date(2025, 9, 1), date(2025, 9, 1))

    def answer(request: Request) -> Answer:
        is_today = f"{TODAY}".encode() in request.body
        return page(record()) if kind(request) != "json" and is_today else page()

    with serve(answering(answer)) as server:
        group, _ = groups(server.url)
        assert group.fetch_usage(DAILY, before) == {}
        assert said(caplog) == []
        assert list(group.fetch_usage(DAILY, DAY)) == [TODAY]
        assert list(group.fetch_usage(DAILY, DAY)) == [TODAY]
    form = "x-www-form-urlencoded"
    assert asked(server.requests) == ["json", form, "query", "json", form, form]
    assert "takes the parameters in a form" in said(caplog)[0]


def test_an_empty_list_is_believed_if_all_other_forms_are_refused(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    refused = Answer.error(415, 20001)
    with serve(answering(lambda each: page() if kind(each) == "json" else refused)) as server:
        group, other = groups(server.url)
        assert [each.fetch_usage(DAILY, DAYS) for each in (group, other, other)] == [{}, {}, {}]
    assert asked(server.requests) == ["json", "x-www-form-urlencoded", "query", "json", "json"]
    assert "takes the parameters in a JSON body" in said(caplog)[0]


def test_an_empty_list_in_another_form_decides_nothing_if_the_likeliest_is_refused() -> None:
    """The refusal may be of the dates, and the other form be ignored."""
    answers = {"json": Answer.error(400, 20001, "Invalid startDate"), "query": Answer(status=415)}

    def answer(request: Request) -> Answer:
        other_days = page(record(day=date(2025, 1, 1)))
        is_today = f"{TODAY}".encode() in request.body
        return answers.get(kind(request)) or (other_days if is_today else page())

    with serve(answering(answer)) as server:
        group, _ = groups(server.url)
        assert group.fetch_usage(DAILY, Window(date(2025, 9, 1), date(2025, 9, 1))) == {}
        with pytest.raises(ApiError, match=r"Invalid startDate.*rows of other days, 2025-01-01"):
            group.fetch_usage(DAILY, DAY)


def test_an_error_after_the_form_is_known_is_the_error_itself() -> None:
    answers = iter([page(record()), Answer.error(400, 20001, "Invalid range")])
    with serve(answering(lambda _: next(answers))) as server:
        group, _ = groups(server.url)
        group.fetch_usage(DAILY, DAY)
        with pytest.raises(ApiError, match="billing group 1 answered 400: code 20001, Invalid"):
            group.fetch_usage(DAILY, DAYS)


def test_a_last_page_without_rows_is_the_end_only_if_no_other_place_has_more() -> None:
    def answer(request: Request) -> Answer:
        if request.query:
            return page(record("MMS"))
        return page() if b"pageToken" in request.body else page(record(), token="next")

    with serve(answering(answer)) as server:
        group, _ = groups(server.url)
        names = [row["product_name"] for row in group.fetch_usage(DAILY, DAY)[TODAY]]
    assert names == ["MMS", "SMS"]


def pages(rows: Callable[[int], list[Any]], number_of_pages: int) -> Callable[[Request], Answer]:
    def answer(request: Request) -> Answer:
        number = int(request.json.get("pageToken", 0))
        return page(*rows(number), token=f"{number + 1}" if number + 1 < number_of_pages else None)

    return answering(answer)


def test_a_list_has_as_many_pages_as_it_needs() -> None:
    few = Limits(pages=10, pace=1e6)
    with serve(pages(lambda n: [record(f"product {n}")], 60)) as server:
        group, _ = groups(server.url, few)
        assert len(group.fetch_usage(DAILY, DAY)[TODAY]) == 60
    with serve(pages(lambda n: [] if n % 9 else [record(f"product {n}")], 60)) as server:
        group, _ = groups(server.url, few)
        assert len(group.fetch_usage(DAILY, DAY)[TODAY]) == 7


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (lambda _: [], "does not end after 0 rows, the last 10 pages without any; stopped"),
        (lambda n: [record(f"{n % 3}")], "after 3 rows, the last 10 pages without any; stopped"),
        (lambda n: [record(f"{n}")], "after 50 rows, the last 0 pages without any; stopped"),
    ],
    ids=["empty pages", "the same pages with new tokens", "new rows for ever"],
)
def test_a_list_that_does_not_end_is_an_error(rows: Callable[[int], list[Any]], says: str) -> None:
    with serve(pages(rows, 10**9)) as server:
        group, _ = groups(server.url, Limits(pages=10, billing_rows=50, pace=1e6))
        with pytest.raises(ApiError, match=says):
            group.fetch_usage(DAILY, DAY)


# The pure part.


def test_the_documented_form_is_tried_first() -> None:
    assert forms(1000) == [
        Form(place, size) for place in (Place.JSON, Place.FORM, Place.QUERY) for size in (1000, 100)
    ]
    assert [form.page_size for form in forms(100)] == [100, 100, 100]
    assert token_places(Form(Place.JSON, 5))[0] is TokenPlace.BODY
    assert token_places(Form(Place.QUERY, 5))[0] is TokenPlace.QUERY


ASKED = {"startDate": "2025-10-05", "pageSize": 5}


@pytest.mark.parametrize(
    ("place", "token", "expected"),
    [
        (Place.JSON, TokenPlace.BODY, ({}, {**ASKED, "pageToken": "t"}, None)),
        (Place.JSON, TokenPlace.QUERY, ({"pageSize": 5, "pageToken": "t"}, ASKED, None)),
        (Place.FORM, TokenPlace.BODY, ({}, None, {**ASKED, "pageToken": "t"})),
        (Place.QUERY, TokenPlace.QUERY, ({**ASKED, "pageToken": "t"}, None, {})),
        (Place.QUERY, TokenPlace.BODY, (ASKED, {"pageToken": "t"}, None)),
        *((place, TokenPlace.GET, ({**ASKED, "pageToken": "t"}, None, None)) for place in Place),
    ],
)
def test_the_token_goes_where_it_is_taken(place: Place, token: TokenPlace, expected: Any) -> None:
    assert next_page(Form(place, 5), {"startDate": "2025-10-05"}, "t", token) == expected


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ({"records": [1], "items": [2], "meta": {"key": "items"}}, [1]),
        ({"items": [2], "meta": {"key": "items"}}, [2]),
        ({"records": None, "items": [2], "meta": {"key": "items"}}, [2]),
        ({"records": [], "items": [2], "meta": {"key": "items"}}, [2]),
        ({"records": [], "items": [], "meta": {"key": "items"}}, []),
        ({"items": [2], "meta": {"key": None}}, None),
        ({"items": [2], "meta": {"key": ["items"]}}, None),
        ({"items": {}, "meta": {"key": "items"}}, None),
        ({"items": [2]}, None),
    ],
)
def test_the_records_are_in_the_array_of_the_key(answer: Any, found: Any) -> None:
    assert records(answer) == found


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ({"meta": {"next_page_url": "https://x"}}, "next_page_url"),
        ({"meta": {"nextPageToken": "t"}}, "nextPageToken"),
        ({"meta": {}, "nextToken": "t"}, "nextToken"),
        ({"meta": {"links": {"next": "https://x"}}}, "next"),
        ({"links": {"next": {"href": "https://x"}}}, "next"),
        ({"meta": {"hasMore": True}}, "hasMore"),
        ({"meta": {"hasMore": False, "next_page_url": None, "nextToken": ""}}, None),
        ({"meta": {"nextUpdate": "2025-10-06"}, "records": [{"next": 1}]}, None),
    ],
)
def test_another_page_may_have_another_name(answer: Any, name: str | None) -> None:
    assert other_next(answer) == name


def test_another_page_that_cannot_be_requested_is_an_error() -> None:
    first = json.loads(page(record()).body)
    first["meta"] |= {"nextToken": None, "next_page_url": "https://api.twilio.com/v2/Usage"}
    with serve(answering(lambda _: Answer.json(first))) as server:
        group, _ = groups(server.url)
        with pytest.raises(ApiError, match="names it 'next_page_url', not nextToken of meta"):
            group.fetch_usage(DAILY, DAY)


def of(*days: int) -> list[Window]:
    return [Window(date(2025, 9, day), date(2025, 9, day)) for day in days]


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ([], None),
        (of(1, 30), None),
        (of(30, 2), "2025-09-01"),
        (of(1, 20), "2025-09-21..2025-09-30"),
        (of(15), "2025-09-01..2025-09-14"),
    ],
)
def test_the_days_that_show_whether_dates_are_ignored(
    listed: list[Window], expected: str | None
) -> None:
    september = Window(date(2025, 9, 1), date(2025, 9, 30))
    found = unlisted_end(september, listed, DAILY)
    assert (found and f"{found}") == expected


def test_months_that_end_with_the_window_are_whole() -> None:
    months = [Window(date(2025, 8, 1), date(2025, 8, 31)), Window(date(2025, 10, 1), TODAY)]
    assert unlisted_end(MONTHS, months, MONTHLY) is None
    assert unlisted_end(MONTHS, months[:1], MONTHLY) == Window(date(2025, 9, 1), TODAY)
    assert unlisted_end(MONTHS, months[1:], MONTHLY) == Window(MONTHS.start, date(2025, 9, 30))
