# ruff: noqa: RUF001  (digits of other scripts are meant)
"""Hostile answers: the result is correct data, or one line that says what is wrong."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict

from sandbox import BILLING_GROUP_IDS, CLIENT_ID, CLIENT_SECRET, MAIN_SID
from sandbox.oauth import TOKEN_PATH
from tap_twilio_usage.config.settings import Settings
from tap_twilio_usage.money.parsers import Fields, Record
from tap_twilio_usage.money.usage_record import Periods
from tap_twilio_usage.streams.lists import AccountsStream, UsageTriggersStream
from tap_twilio_usage.twilio.accounts import Accounts, Finder, fetch_list
from tap_twilio_usage.twilio.auth import OAuth, Unsigned
from tap_twilio_usage.twilio.billing_groups import BillingGroup
from tap_twilio_usage.twilio.billing_lists import Lists
from tap_twilio_usage.twilio.errors import ApiError
from tap_twilio_usage.twilio.periods import (
    DAILY,
    GRANULARITIES,
    MONTHLY,
    Granularity,
    Window,
    today,
)
from tap_twilio_usage.twilio.usage_records import API, Account
from tests.conftest import nightly
from tests.hostile import (
    ACCOUNT,
    FIRST,
    LOGGER,
    SEPARATE,
    SOURCES,
    TODAY,
    USAGE,
    Answers,
    Case,
    Hostile,
    Source,
    Unreadable,
    by_oauth,
    by_token,
    check,
    client,
    command,
    kind_of,
    real,
)
from tests.http_server import Answer, Request

EXAMPLES = 20  # of each kind of answer; `python -m tests.hostile` tries more
RUNS = [  # seeds of runs of the command: from, to
    (0, 3),
    *(nightly(first, first + 17) for first in (3, 20, 37)),
]
LONGEST_ERROR = 600
DAYS = Window(FIRST, FIRST + timedelta(days=1))
MONTHS = Window(TODAY.replace(day=1), TODAY)
WINDOWS = {"Daily": DAYS, "Monthly": MONTHS, "Records": DAYS}

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def waits() -> Iterator[list[float]]:
    """Collect the waits before retries from the log."""
    seconds: list[float] = []

    class Waits(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seconds.extend(
                map(float, re.findall(r"; try \d after ([\d.]+) s", record.getMessage()))
            )

    handler = Waits()
    LOGGER.addHandler(handler)
    yield seconds
    LOGGER.removeHandler(handler)


def of_days(periods: Periods) -> Rows:
    return [asdict(row) for rows in periods.values() for row in rows]


def amounts(row: Mapping[str, Any]) -> tuple[Decimal, ...] | None:
    values = tuple(USAGE[name](row) or Decimal(0) for name in ("count", "usage", "price"))
    return values if any(values) else None


def account(answers: Answers) -> Account:
    return Account(by_token(answers), MAIN_SID, includes_subaccounts=True, page_size=5, today=today)


def history(answers: Answers) -> Rows:
    return [each._asdict() for each in account(answers).fetch_all_time()]


def billing_group(answers: Answers) -> Rows:
    group = BillingGroup(Lists(by_oauth(answers), 40, LOGGER), BILLING_GROUP_IDS[0], 1)
    return [row for rows in group.fetch_usage(DAILY, DAYS).values() for row in rows]


def listed_accounts(answers: Answers) -> Accounts:
    urls = dict.fromkeys(("api_url", "billing_api_url", "oauth_token_url"), "http://127.0.0.1")
    selection = Settings.from_config({**SEPARATE, **urls, "page_size": 2})
    (connection,) = selection.connections
    return Finder([(connection, by_token(answers))], selection, today, lambda _: ()).find()


def entries(answers: Answers, path: str, key: str, fields: Fields) -> Rows:
    found = (row for row, _ in fetch_list(by_token(answers), path, key, fields, 2))
    return [{"account_sid": row["sid"], **row} for row in found]


def now(granularity: Granularity) -> Callable[[Answers], Rows]:
    return lambda answers: of_days(account(answers).fetch_current_usage(granularity))


READS: dict[str, Callable[[Answers], Rows]] = {
    "Daily": lambda answers: of_days(account(answers).fetch_usage(DAILY, DAYS)),
    "Monthly": lambda answers: of_days(account(answers).fetch_usage(MONTHLY, MONTHS)),
    **{each.resource: now(each) for each in GRANULARITIES if each.is_named_period},
    "AllTime, without dates": history,
    "Triggers": lambda answers: entries(
        answers,
        f"{API}/{MAIN_SID}/Usage/Triggers.json",
        "usage_triggers",
        UsageTriggersStream.fields,
    ),
    "Accounts": lambda answers: entries(answers, f"{API}.json", "accounts", AccountsStream.fields),
    "Records": billing_group,
}
HISTORY = SOURCES["usage_records_all_time"]._replace(
    readers={
        **{name: USAGE[name] for name in ("category", "description", "count_unit", "usage_unit")},
        "price_unit": USAGE["price_unit"],
        "amounts": amounts,
    },
    keys=("category",),
)
READ_AS = {
    **{source.kind: source for source in SOURCES.values()},
    "AllTime, without dates": HISTORY,
}


def seeds(examples: int) -> Callable[[Any], Any]:
    """Run a test with this number of seeds, always the same ones."""

    def decorate(test: Any) -> Any:
        limits = settings(max_examples=examples, derandomize=True, database=None)
        return limits(given(seed=st.integers(0, 2**32))(test))

    return decorate


def outcome(answers: Answers, read: Callable[[Answers], Any]) -> Any:
    """Return what is read, or the error, which must be a known one with one line."""
    try:
        return read(answers)
    except ApiError as error:
        line = f"{error}"
        found = error
    assert line.isprintable()
    assert len(line) < LONGEST_ERROR
    return found


def plain(source: Source, row: Record) -> Record:
    values = {field: row[field] for field in source.readers}
    return {
        field: f"{value}" if isinstance(value, date) else value for field, value in values.items()
    }


def expected_rows(source: Source, answers: Hostile) -> dict[tuple[Any, ...], Any]:
    """Return the rows that were sent. Raises Unreadable if they must not be loaded."""
    rows: Rows = []
    pages: list[Any] = [{"next_page_uri": None}]
    for _, pages in answers.answers(source.kind):
        if not pages or any(
            row["account_sid"].lower() != MAIN_SID.lower()
            for row in pages[-1].get("usage_records", ())
        ):
            raise Unreadable
        rows += source.rows(pages[-1])
    if source.kind != "Records" and pages[-1].get("next_page_uri", "missing") is not None:
        raise Unreadable  # there may be more
    return dict(source.keyed(rows))


@pytest.mark.parametrize("what", READS)
@seeds(EXAMPLES)
def test_a_mutated_answer_is_read_correctly_or_is_an_error(what: str, seed: int) -> None:
    source = READ_AS[what]
    answers = Hostile(source.kind, seed % 3, seed, always=seed % 5 > 0)
    rows = outcome(answers, READS[what])
    if isinstance(rows, ApiError):
        return
    try:
        expected = expected_rows(source, answers)
    except Unreadable:
        pytest.fail(f"{answers.mutation}: an invalid record was ignored")
    assert all(row["start_date"] in WINDOWS[what] for row in rows if what in WINDOWS)
    found = [plain(source, row) for row in rows]
    assert source.keyed(found) == expected, answers.mutation
    assert len(found) == len(expected) or what in {
        "Accounts",
        "Triggers",
    }  # the stream removes duplicates


@seeds(EXAMPLES)
def test_the_creation_date_in_a_mutated_answer_is_read_correctly_or_unknown(seed: int) -> None:
    answers = Hostile("Account", 0, seed, always=seed % 5 > 0)
    found = outcome(answers, lambda answers: account(answers).fetch_date_created())
    if found is not None and not isinstance(found, ApiError):
        ((_, pages),) = answers.answers("Account")
        began = ACCOUNT["date_created"](pages[-1])
        assert began[:10] == f"{found}" <= f"{TODAY}", answers.mutation


@seeds(EXAMPLES)
def test_every_account_of_a_mutated_list_has_a_sid(seed: int) -> None:
    answers = Hostile("Accounts", seed % 2, seed, always=seed % 5 > 0)
    found = outcome(answers, listed_accounts)
    if not isinstance(found, ApiError):
        assert found.companies[0].main in found.chosen
        assert all(re.fullmatch("AC[0-9a-fA-F]{32}", each.sid) for each in found.chosen)


@seeds(EXAMPLES)
def test_a_token_of_a_mutated_answer_is_valid_in_a_header(seed: int) -> None:
    answers = Hostile("token", 0, seed, always=seed % 5 > 0)
    tokens = client(answers, Unsigned(), TOKEN_PATH)
    found = outcome(answers, lambda _: OAuth(tokens, CLIENT_ID, CLIENT_SECRET).sign())
    if not isinstance(found, ApiError):
        header = found(requests.Request("GET", "http://x").prepare()).headers["Authorization"]
        assert header.isascii()
        assert header.isprintable()


@seeds(EXAMPLES)
def test_waits_between_retries_are_bounded(waits: list[float], seed: int) -> None:
    waits.clear()
    outcome(Hostile("Today", 0, seed, always=True), READS["Today"])
    assert len(waits) <= 7
    assert sum(waits) < 7 * 1.25 * 300


@pytest.mark.parametrize(("first", "end"), RUNS)
def test_a_run_on_mutated_answers_is_complete_or_ends_with_an_error(
    first: int, end: int, tmp_path: Path
) -> None:
    for seed in range(first, end):
        case = Case.drawn(seed)
        run = command(case.plan, case.answers, tmp_path)
        try:
            check(case, run, tmp_path)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {case.answers.mutation}") from error


def changed(change: Callable[[dict[str, Any]], Any], kind: str) -> Answers:
    """Return real answers, except those of a kind, whose JSON is changed."""

    def answer(request: Request) -> Answer:
        sent = real(request)
        if kind_of(request.path) != kind:
            return sent
        page = json.loads(sent.body)
        change(page)
        return replace(sent, body=json.dumps(page).encode())

    return answer


def put(value: Any, *path: str | int) -> Callable[[dict[str, Any]], None]:
    def change(page: Any) -> None:
        *way, last = path
        for step in way:
            page = page[step]
        page[last] = value

    return change


def field(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return put(value, "usage_records", 0, name)


def product(*path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return put(value, "records", 0, *path)


def next_page(query: str) -> Callable[[dict[str, Any]], None]:
    return put(f"{API}/{MAIN_SID}/Usage/Records/Daily.json?{query}", "next_page_uri")


LATE = "Fri, 31 Dec 9999 23:59:59 -2300"
REFUSED = {
    "NUL in a text": ("Daily", field("description", "a\0b"), "its description is not text"),
    "half a surrogate pair in a text": ("Daily", field("count_unit", "\ud800"), "is not text"),
    "half a surrogate pair in a name": ("Daily", field("category", "sms\udfff"), "is not text"),
    "NUL in a product": ("Records", product("productName", value="\0x"), "is not text"),
    "a name longer than an index takes": ("Daily", field("category", "x" * 256), "is too long"),
    "lines in a currency": ("Daily", field("price_unit", "usd\nERROR"), "is not a currency"),
    "a currency of 100 kB": ("Today", field("price_unit", "x" * 100_000), "is not a currency"),
    "a currency that turns the line": (
        "Records",
        product("price", "currency", value="\u202eusd"),
        "is not a currency",
    ),
    "a date-time with NUL for its T": (
        "Daily",
        field("as_of", "2026-01-01\x0000:00:00"),
        "its as_of is not a date-time",
    ),
    "a date-time as a week": ("Daily", field("as_of", "2026-W01-1"), "is not a date-time"),
    "a date-time that does not exist": ("Daily", field("as_of", "2026-02-30T00:00:00Z"), "as_of"),
    "a date of other digits": ("Today", field("start_date", "٢٠٢٦-٠١-٠١"), "is not a date"),
    "the last date there is": ("Daily", field("start_date", "9999-12-31"), "is not a date"),
    "the last date there is, of a product": (
        "Records",
        product("startDate", value="9999-12-31"),
        "is not a date",
    ),
    "two days that are one": (
        "Today",
        field("start_date", "2026-01-01"),
        "which was not requested",
    ),
    "a named period of two": (
        "AllTime",
        field("start_date", f"{TODAY}"),
        "Twilio sent 2 periods, from",
    ),
    "a named period that ends before it begins": (
        "ThisMonth",
        field("end_date", "2026-01-01"),
        "which was not requested",
    ),
    "a day that ends after another": ("Yesterday", field("end_date", f"{TODAY}"), "not requested"),
    "a day that was not asked for": (
        "Daily",
        lambda page: page["usage_records"][0].update(start_date=f"{TODAY}", end_date=f"{TODAY}"),
        "which was not requested",
    ),
    "a product's day that was not asked for": (
        "Records",
        lambda page: page.get("records", [{}])[0].update(startDate=f"{TODAY}", endDate=f"{TODAY}"),
        f"rows of other days, {TODAY}",
    ),
    "another account": ("Daily", field("account_sid", "AC" + "f" * 32), "is of another account"),
    "a number of other digits": ("Daily", field("price", "١٢"), "its price is not a number"),
    "a number as Python writes it": ("Daily", field("usage", "1_000"), "is not a number"),
    "no next_page_uri": ("Daily", lambda page: page.pop("next_page_uri"), "without next_page_uri"),
    "a next_page_uri that is a list": (
        "Daily",
        put([], "next_page_uri"),
        "does not lead to the next page",
    ),
    "a query that is none": ("Daily", next_page("é\ud800"), "does not lead to the next page"),
    "a query that colours the log": (
        "Daily",
        next_page("StartDate=\x1b[31m"),
        "does not lead to the next page",
    ),
    "a query of 100 kB": (
        "Daily",
        next_page("StartDate=" + "x" * 100_000),
        "does not lead to the next page",
    ),
    "a nextToken that is a list": (
        "Records",
        put([], "meta", "nextToken"),
        "nextToken is not text",
    ),
    "a mail date past all dates": (
        "Triggers",
        put(LATE, "usage_triggers", 0, "date_fired"),
        "date_fired is out of range",
    ),
    "a mail date in a list": ("Triggers", put([], "usage_triggers", 0, "date_fired"), "date_fired"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_answer_that_once_caused_a_bug_is_an_error(name: str) -> None:
    kind, change, says = REFUSED[name]
    error = outcome(changed(change, kind), READS[kind])
    assert isinstance(error, ApiError), error
    assert says in f"{error}"


@pytest.mark.parametrize("sid", ["../../v2", "AC/../x?y=", "AC" + "0" * 31 + "\n", "AC\ud800"])
def test_an_invalid_sid_is_not_used_in_a_path(sid: str) -> None:
    answers = changed(put(sid, "accounts", 0, "sid"), "Accounts")
    error = outcome(answers, listed_accounts)
    assert "entry 1: its sid is" in f"{error}"


@pytest.mark.parametrize("value", [None, [], {}, 7, "soon", LATE, "Thu, 01 Jan 2026 00:00 +9999"])
def test_an_account_with_an_invalid_creation_date_starts_on_start_date(
    value: Any,
) -> None:
    answers = changed(put(value, "date_created"), "Account")
    assert account(answers).fetch_date_created() is None


def test_a_creation_date_in_the_future_is_ignored() -> None:
    later = "Sat, 01 Jan 2999 00:00:00 +0000"
    assert account(changed(put(later, "date_created"), "Account")).fetch_date_created() is None
    found = outcome(changed(put(later, "accounts", 0, "date_created"), "Accounts"), listed_accounts)
    assert all(each.fetch_date_created() <= TODAY for each in found.chosen)


def encoded(how: str) -> Answers:
    def answer(request: Request) -> Answer:
        sent = real(request)
        return replace(sent, body=sent.body.decode().encode(how))

    return answer


def repeated(page: dict[str, Any]) -> None:
    page["usage_records"] *= 2


HARMLESS: dict[str, Answers] = {
    "a BOM": encoded("utf-8-sig"),
    "UTF-16": encoded("utf-16"),
    "UTF-32": encoded("utf-32"),
    "a charset that lies": lambda request: replace(
        real(request), headers={"Content-Type": "text/html; charset=latin-1"}
    ),
    "cookies": lambda request: replace(real(request), headers={"Set-Cookie": "a=\xff; Expires=x"}),
    "rows that come twice": changed(repeated, "Daily"),
    "a new field": changed(field("\u202e" * 1000, "\ud800"), "Daily"),
    "nesting in a field that is not loaded": changed(
        field("uri", json.loads("[" * 300 + "]" * 300)), "Daily"
    ),
    "numbers as texts with exponents": changed(
        lambda page: [row.update(price=f"{row['price']}e0") for row in page["usage_records"]],
        "Daily",
    ),
}


@pytest.mark.parametrize("how", HARMLESS)
def test_equivalent_encodings_are_read_the_same(how: str) -> None:
    def read(answers: Answers) -> list[dict[str, Any]]:
        return [{**row, "as_of": None} for row in READS["Daily"](answers)]

    assert read(HARMLESS[how]) == read(real)
