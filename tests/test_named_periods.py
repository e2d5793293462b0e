"""`Today`, `LastMonth` and so on that lack spend of Twilio's own days."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tap_twilio_usage.money.usage_record import Periods, Totals
from tap_twilio_usage.sync.state import UsageState
from tap_twilio_usage.twilio.errors import ApiError, NotFound
from tap_twilio_usage.twilio.periods import DAY, YEARLY, Granularity, Window, named_days
from tests.test_empty_periods import NAMED, TODAY
from tests.test_focus import usage_record
from tests.test_pipeline import LOGGER, FakeAccount, pipeline

RESOURCES = [name for name in NAMED if name != "all_time"]
MANY = ["this_month", "last_month"]
PRICES = {"totalprice": "5", "sms": "3", "calls": "2"}
DAYS = {date(2026, 1, 20) + number * DAY: PRICES for number in range(50)}  # up to today


def summed(days: Mapping[date, Mapping[str, str]], window: Window) -> dict[str, str]:
    sums = dict.fromkeys(PRICES, Decimal(0))
    for day, rows in days.items():
        if day in window:
            for name, price in rows.items():
                sums[name] += Decimal(price)
    return {name: f"{price}" for name, price in sums.items()}


@dataclass
class Account(FakeAccount):
    """An account with the records of one resource: first these, then the later ones."""

    days: Mapping[date, Mapping[str, str]] = field(default_factory=lambda: DAYS)
    answers: Iterator[Mapping[str, str]] = field(default_factory=lambda: iter([]))
    begins: date = date(2025, 1, 1)
    starts: date | None = None
    requests: list[str] = field(default_factory=list)

    def fetch_current_usage(self, granularity: Granularity) -> Periods:
        self.requests.append(granularity.resource)
        first, last = named_days(granularity, self.today)
        day = self.starts or first
        rows = sorted(next(self.answers).items())
        return {
            day: [
                usage_record(name, price, start_date=day, end_date=max(day, last))
                for name, price in rows
            ]
        }

    def fetch_totals(
        self, granularity: Granularity, window: Window, *, at_once: bool = False
    ) -> Totals:
        self.requests.append(f"{granularity.resource} {window}")
        if at_once and window.start < self.begins:
            raise NotFound("no data")
        if granularity is YEARLY:
            window = Window(YEARLY.first(window.start), window.end)
            year = FakeAccount({window.start: summed(self.days, window)})
            return year.fetch_totals(granularity, window)
        return super().fetch_totals(granularity, window)


def load(
    caplog: pytest.LogCaptureFixture,
    name: str,
    account: Account,
    *answers: Mapping[str, str],
    today: date = TODAY,
) -> tuple[list[str], list[str | None]]:
    """Load the stream; return its warnings, and the totals of its rows."""
    caplog.clear()
    caplog.set_level(logging.INFO, LOGGER.name)
    account.answers, account.today = iter(answers), today
    read = pipeline(account, state=UsageState(), today=today, saved=[], granularity=NAMED[name])
    (context,) = read.begin()
    rows = [row for rows in read.rows(context) for row in rows]
    read.summarize()
    warnings = [each.getMessage() for each in caplog.records if each.levelno > logging.INFO]
    return warnings, [f"{row.price}" for row in rows if row.category == "totalprice"]


def of(name: str, days: Mapping[date, Mapping[str, str]] = DAYS) -> dict[str, str]:
    return summed(days, named_days(NAMED[name], TODAY))


def said(name: str, amounts: str) -> str:
    return (
        f"Twilio's {NAMED[name].resource} does not have the spend of its days: {amounts}; it is "
        "loaded as Twilio sends it, and the next run asks again"
    )


ZEROS = dict.fromkeys(PRICES, "0")


@pytest.mark.parametrize("name", NAMED)
def test_a_period_that_has_the_spend_of_its_days_is_asked_for_once(
    caplog: pytest.LogCaptureFixture, name: str
) -> None:
    account = Account()
    whole = of(name)
    assert load(caplog, name, account, whole) == ([], [whole["totalprice"]])
    assert len(account.requests) == (1 if name == "all_time" else 2)
    assert "does not have the spend" not in caplog.text


@pytest.mark.parametrize("name", RESOURCES)
def test_zeros_are_asked_for_again_and_said(caplog: pytest.LogCaptureFixture, name: str) -> None:
    spend = of(name)["totalprice"]
    warnings, totals = load(caplog, name, Account(), ZEROS, ZEROS)
    assert totals == ["0"]
    assert warnings == [said(name, f"AC1 (0 instead of {spend})")]
    assert load(caplog, name, Account(), ZEROS, of(name)) == ([], [spend])


def test_a_history_of_zeros_is_said_though_this_year_has_spend(
    caplog: pytest.LogCaptureFixture,
) -> None:
    warnings, totals = load(caplog, "all_time", Account(), ZEROS, ZEROS)
    assert totals == ["0"]
    assert warnings == [said("all_time", "AC1 (0 instead of 250)")]


@pytest.mark.parametrize("name", RESOURCES)
def test_an_account_without_spend_is_not_asked(caplog: pytest.LogCaptureFixture, name: str) -> None:
    account = Account(days=dict.fromkeys(DAYS, ZEROS))
    assert load(caplog, name, account, ZEROS) == ([], ["0"])
    assert account.requests == [NAMED[name].resource]


@pytest.mark.parametrize("name", MANY)
def test_an_older_day_that_is_missing_is_said(caplog: pytest.LogCaptureFixture, name: str) -> None:
    """If it has more than the newest days of a month that is not over."""
    first = named_days(NAMED[name], TODAY).start
    days = {**DAYS, first: {"totalprice": "16", "sms": "16"}}
    less, whole = of(name, {**days, first: ZEROS}), of(name, days)
    (warning,), _ = load(caplog, name, Account(days=days), less, less)
    assert f"({less['totalprice']} instead of {whole['totalprice']})" in warning


@pytest.mark.parametrize("name", MANY)
def test_the_newest_days_may_come_later(caplog: pytest.LogCaptureFixture, name: str) -> None:
    late = {each: rows for each, rows in DAYS.items() if each <= TODAY - 3 * DAY}
    account = Account()
    warnings, _ = load(caplog, name, account, of(name, late))
    assert (warnings, len(account.requests)) == ([], 2)
    assert ("does not have the spend of its days yet" in caplog.text) == (name == "this_month")


@pytest.mark.parametrize("name", ["yesterday", "today"])
def test_a_part_of_a_new_day_is_said_at_info(caplog: pytest.LogCaptureFixture, name: str) -> None:
    """But of today, which has more with every request."""
    warnings, _ = load(caplog, name, Account(), {"totalprice": "3", "sms": "3"})
    said = "Twilio's Yesterday does not have the spend of its days yet: AC1 (3 instead of 5)"
    assert (warnings, said in caplog.text) == ([], name == "yesterday")


def test_a_refund_of_today_is_no_missing_day(caplog: pytest.LogCaptureFixture) -> None:
    days = {**DAYS, TODAY: {"totalprice": "-30", "sms": "-30"}}
    assert load(caplog, "this_month", Account(days=days), *[of("this_month", days)] * 2)[0] == []


def test_a_refund_that_a_month_lacks_is_said_once_it_is_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    days = {**DAYS, date(2026, 2, 3): {"totalprice": "-30", "sms": "-30"}}
    (warning,), _ = load(caplog, "last_month", Account(days=days), *[of("last_month")] * 2)
    assert "(140 instead of 105)" in warning


@pytest.mark.parametrize("name", MANY)
def test_an_account_that_is_younger_than_the_month_is_compared_since_its_creation(
    caplog: pytest.LogCaptureFixture, name: str
) -> None:
    created = named_days(NAMED[name], TODAY).start + DAY
    days = {each: rows for each, rows in DAYS.items() if each >= created}
    account = Account(days=days, created=created, begins=created)
    (warning,), _ = load(caplog, name, account, ZEROS, ZEROS)
    assert f"(0 instead of {of(name, days)['totalprice']})" in warning
    account.created = None
    assert load(caplog, name, account, ZEROS)[0] == []
    assert "cannot be checked; the next run tries again: no data" in caplog.text


@pytest.mark.parametrize("name", RESOURCES)
def test_a_period_that_has_just_begun_or_is_older_than_the_account_is_not_compared(
    caplog: pytest.LogCaptureFixture, name: str
) -> None:
    first = date(2026, 3, 1)
    account = Account(days={first: PRICES}, created=first, begins=first + DAY)
    for today, resources in ((first, ["today", "this_month"]), (first + DAY, ["last_month"])):
        if name in resources:
            assert load(caplog, name, account, ZEROS, today=today) == ([], ["0"])
            assert "cannot be checked" not in caplog.text


ONLY_OLD = {date(2025, 6, 1): PRICES}


@pytest.mark.parametrize("created", [None, date(2025, 1, 1)])
@pytest.mark.parametrize("name", ["yesterday", *MANY])
def test_a_day_that_twilio_has_nowhere_is_said(
    caplog: pytest.LogCaptureFixture, name: str, created: date | None
) -> None:
    """If the creation cannot be read, the account may be younger than the first day."""
    first, last = named_days(NAMED[name], TODAY)
    for lacking in {first, min(last, TODAY - DAY)}:
        days = {each: rows for each, rows in DAYS.items() if each != lacking}
        for found in (days, ONLY_OLD):
            account = Account(days=found, created=created)
            assert load(caplog, name, account, of(name, found))[0] == []
            is_first = found is days and first == lacking < last
            said = "the next run tries again: Twilio has no total for" in caplog.text
            assert said == (created is not None or not is_first)


@pytest.mark.parametrize("name", RESOURCES)
def test_its_rows_are_loaded_if_it_cannot_be_compared(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def fails(*_: object, **__: object) -> Any:
        raise ApiError("no answer")

    account = Account()
    monkeypatch.setattr(account, "fetch_totals", fails)
    assert load(caplog, name, account, ZEROS) == ([], ["0"])
    assert (
        "has the spend of its days cannot be checked; the next run tries again: no answer"
        in caplog.text
    )


def test_many_accounts_are_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    accounts = [
        Account(sid=f"AC{number}", includes_subaccounts=False, answers=iter([ZEROS] * 2))
        for number in range(8)
    ]
    read = pipeline(
        *accounts,
        state=UsageState(),
        today=TODAY,
        saved=[],
        granularity=NAMED["yesterday"],
        separates_accounts=True,
    )
    for context in read.begin():
        list(read.rows(context))
    read.summarize()
    assert caplog.text.count("does not have the spend of its days") == 1
    assert (
        "AC0 (0 instead of 5), AC1 (0 instead of 5), AC2 (0 instead of 5), and 5 more"
        in caplog.text
    )


@pytest.mark.parametrize("name", RESOURCES)
def test_what_is_in_no_category_is_said(caplog: pytest.LogCaptureFixture, name: str) -> None:
    """The total is right. The newest days may get their categories later."""
    lacking = {**of(name), "calls": "0"}
    warnings, _ = load(caplog, name, Account(), lacking)
    rest = Decimal(of(name)["calls"])
    assert f"({rest} of it in no category)" in caplog.text
    assert ["a category may lack its spend there" in each for each in warnings] == [True] * (
        name == "last_month"
    )
