"""`Today`, `Yesterday` and so on without any record: a warning, or a line where this is normal."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import msgspec
import pytest

from tap_twilio_usage.money.usage_record import Periods
from tap_twilio_usage.sync.state import UsageState
from tap_twilio_usage.twilio.periods import EARLIEST, GRANULARITIES, Granularity, Window, named_days
from tests.test_focus import usage_record
from tests.test_pipeline import LOGGER, PRICES, FakeAccount, pipeline

NAMED = {each.name: each for each in GRANULARITIES if each.is_named_period}
OVER = ("yesterday", "last_month", "this_month", "all_time")
TODAY = date(2026, 3, 10)
FIRST_OF_MONTH = date(2026, 3, 1)
LONG_AGO = date(2025, 1, 1)


@dataclass
class Account(FakeAccount):
    """An account whose resources with one period are in a dictionary."""

    days: Mapping[date, Mapping[str, str]] = field(default_factory=lambda: {LONG_AGO: PRICES})
    current: Mapping[date, Mapping[str, str]] = field(default_factory=dict)
    created: date | None = LONG_AGO

    def fetch_current_usage(self, granularity: Granularity) -> Periods:
        return {
            day: [usage_record(name, price, start_date=day, end_date=day) for name, price in found]
            for day, found in ((day, sorted(rows.items())) for day, rows in self.current.items())
        }


def said(
    caplog: pytest.LogCaptureFixture,
    name: str,
    *accounts: FakeAccount,
    today: date = TODAY,
    state: UsageState | None = None,
    **options: Any,
) -> tuple[list[str], list[str]]:
    """Load the stream; return what it said as warnings, and at INFO."""
    caplog.clear()
    caplog.set_level(logging.INFO, LOGGER.name)
    state = UsageState() if state is None else state
    read = pipeline(
        *accounts, state=state, today=today, saved=[], granularity=NAMED[name], **options
    )
    for context in read.begin():
        for _ in read.rows(context):
            pass
    read.summarize()
    lines = [each for each in caplog.records if "Twilio has no record for" in each.getMessage()]
    levels = (logging.WARNING, logging.INFO)
    warnings, infos = (
        [each.getMessage() for each in lines if each.levelno == level] for level in levels
    )
    return warnings, infos


def line(names: str, resource: str) -> str:
    return (
        f"{names}: Twilio has no record for {resource}, though it should list every category; "
        "nothing is loaded, and the target keeps the rows of earlier runs; the next run asks again"
    )


def normal(names: str, resource: str) -> str:
    return (
        f"{names}: Twilio has no record for {resource}, which is normal for a period that has just "
        "begun, and for a new or unused account"
    )


@pytest.mark.parametrize("name", OVER)
@pytest.mark.parametrize("created", [LONG_AGO, None], ids=["created", "creation unknown"])
def test_an_account_with_spend_is_warned_of(
    caplog: pytest.LogCaptureFixture, name: str, created: date | None
) -> None:
    account = Account(created=created)
    assert said(caplog, name, account) == ([line("AC1", NAMED[name].resource)], [])


def test_a_day_that_has_just_begun_may_have_no_record(caplog: pytest.LogCaptureFixture) -> None:
    assert said(caplog, "today", Account()) == ([], [normal("AC1", "Today")])
    first = said(caplog, "this_month", Account(), today=FIRST_OF_MONTH)
    assert first == ([], [normal("AC1", "ThisMonth")])


@pytest.mark.parametrize("name", ["today", *OVER])
def test_records_that_are_gone_are_warned_of(caplog: pytest.LogCaptureFixture, name: str) -> None:
    """Also if AllTime is empty too, and of a day that has just begun."""
    start = LONG_AGO if name == "all_time" else named_days(NAMED[name], TODAY).start
    state = UsageState()
    assert said(caplog, name, Account(current={start: PRICES}), state=state) == ([], [])
    state = msgspec.json.decode(msgspec.json.encode(state), type=UsageState)
    warnings, _ = said(caplog, name, Account({}, created=None), state=state)
    assert warnings == [line("AC1", NAMED[name].resource)]


@pytest.mark.parametrize("name", OVER)
def test_an_account_that_had_records_of_an_earlier_period_existed(
    caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """Also if it is younger, as a main account may be younger than its subaccounts' usage."""
    state = UsageState()
    said(caplog, name, Account(current={LONG_AGO: PRICES}), state=state)
    younger = Account({}, created=TODAY)
    assert said(caplog, name, younger, state=state) == ([line("AC1", NAMED[name].resource)], [])


@pytest.mark.parametrize(
    ("name", "created"),
    [
        ("yesterday", TODAY),
        ("yesterday", date(2026, 3, 9)),  # its first hours
        ("last_month", FIRST_OF_MONTH),
        ("this_month", TODAY),
        ("all_time", TODAY),
    ],
)
def test_an_account_that_did_not_exist_yet_has_no_record(
    caplog: pytest.LogCaptureFixture, name: str, created: date
) -> None:
    account = Account(created=created)
    assert said(caplog, name, account) == ([], [normal("AC1", NAMED[name].resource)])


@pytest.mark.parametrize("name", OVER)
def test_an_unused_account_may_have_no_record_but_not_no_history(
    caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """Twilio lists every category, also unused ones: an empty AllTime is not an answer."""
    resource = NAMED[name].resource
    unused = Account({LONG_AGO: dict.fromkeys(PRICES, "0")})
    assert said(caplog, name, unused) == ([], [normal("AC1", resource)])
    assert said(caplog, name, Account({})) == ([line("AC1", resource)], [])


def test_many_accounts_are_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    """The accounts that have records are loaded."""
    yesterday = date(2026, 3, 9)
    accounts = [
        Account(sid=f"AC{number}", includes_subaccounts=False, current=current)
        for number in range(8)
        for current in [{yesterday: PRICES} if number == 3 else {}]
    ]
    state = UsageState()
    warnings, infos = said(caplog, "yesterday", *accounts, state=state, separates_accounts=True)
    assert (warnings, infos) == ([line("AC0, AC1, AC2, and 4 more", "Yesterday")], [])
    assert [each.last_rows for each in state.partitions if each.last_rows] == [yesterday]


def test_the_days_of_each_resource() -> None:
    day = date(2026, 3, 31)
    assert {name: named_days(each, day) for name, each in NAMED.items()} == {
        "today": Window(day, day),
        "yesterday": Window(date(2026, 3, 30), date(2026, 3, 30)),
        "this_month": Window(FIRST_OF_MONTH, day),
        "last_month": Window(date(2026, 2, 1), date(2026, 2, 28)),
        "all_time": Window(EARLIEST, day),
    }
