"""The comparison of all accounts together with those that Twilio lists, on plain objects."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pytest

from sandbox import MAIN_SID
from tap_twilio_usage.money.usage_record import Periods, Totals
from tap_twilio_usage.sync.state import UsageState
from tap_twilio_usage.twilio.errors import ApiError
from tap_twilio_usage.twilio.periods import ALL_TIME, EARLIEST, LATEST, Granularity, Window
from tap_twilio_usage.twilio.periods import DAILY as DAYS
from tests.faults.conftest import RECONCILIATION, Lab, company, lab, warned
from tests.faults.test_missing import ACTIVE, DAILY, leaves_out
from tests.test_pipeline import FakeAccount, day, only, pipeline

__all__ = ["company", "lab"]  # fixtures
FIVE, TWELVE = ({"totalprice": price, "sms": price} for price in ("5", "12"))
CANNOT = "whether Twilio lists all accounts cannot be checked; the next run tries again: "


@dataclass
class Account(FakeAccount):
    """An account that may not answer for the totals of its days."""

    created: date | None = date(2025, 1, 1)
    includes_subaccounts: bool = False
    error: ApiError | None = None
    answers: bool = True
    asked_totals: list[Window] = field(default_factory=list)
    asked_at_once: list[bool] = field(default_factory=list)  # otherwise a 404 is asked day by day

    def fetch_totals(
        self, granularity: Granularity, window: Window, *, at_once: bool = False
    ) -> Totals:
        if granularity is DAYS:
            self.asked_totals.append(window)
            self.asked_at_once.append(at_once)
        if self.error:
            raise self.error
        return super().fetch_totals(granularity, window) if self.answers else {}

    def fetch_current_usage(self, granularity: Granularity) -> Periods:
        return self.fetch_usage(granularity, Window(EARLIEST, LATEST))


def with_closed(last: int, closed: Collection[int] = range(10, 21)) -> tuple[Account, Account]:
    """Return a main account, and it with one of $7 a day that was closed and is not listed."""
    both = {**only(range(last + 1), FIVE), **only(closed, TWELVE)}
    return Account(only(range(last + 1), FIVE)), Account(both, includes_subaccounts=True)


def said(
    caplog: pytest.LogCaptureFixture,
    accounts: tuple[Account, Account | None],
    state: UsageState,
    last: int,
    **options: Any,
) -> str:
    """Load an account; without one of all together, in another mode. Return the warnings."""
    caplog.clear()
    caplog.set_level(logging.INFO)
    main, together = accounts
    defaults = {"separates_accounts": together is not None, "lookback_days": 1}
    run = pipeline(
        main, state=state, today=day(last), saved=[], together=together, **{**defaults, **options}
    )
    for context in run.begin():
        for _ in run.rows(context):
            pass
    run.end()
    return "\n".join(each.getMessage() for each in caplog.records if each.levelno > logging.INFO)


def test_each_month_is_compared_once(caplog: pytest.LogCaptureFixture) -> None:
    state, accounts = UsageState(), with_closed(200)
    days = "its spend in 2026-01-11..2026-01-21 is 77 more than that of the accounts that"
    assert days in said(caplog, accounts, state, 100, start_date=day(0))
    for last in (101, 130, 160):
        assert said(caplog, accounts, state, last, start_date=day(0)) == ""
    whole = accounts[1]
    assert whole
    assert [window.start for window in whole.asked_totals] == [day(0), day(90), day(120)]


def test_months_of_another_mode_are_compared_after_the_change(
    caplog: pytest.LogCaptureFixture,
) -> None:
    main, together = with_closed(400)
    state = UsageState()
    assert said(caplog, (together, None), state, 200, start_date=day(0)) == ""
    assert " is 77 more " in said(caplog, (main, together), state, 400, start_date=day(300))
    assert said(caplog, (together, None), state, 400, start_date=day(300)) == ""
    assert " is 77 more " in said(caplog, (main, together), state, 400, start_date=day(300))


def test_a_clock_that_was_ahead_hinders_no_comparison(caplog: pytest.LogCaptureFixture) -> None:
    state, accounts = UsageState(), with_closed(300)
    for last in (250, 30, 31):
        said(caplog, accounts, state, last, start_date=day(0))
    whole = accounts[1]
    assert whole
    assert whole.asked_totals == [Window(day(0), day(247)), Window(day(0), day(27))]


def test_months_that_a_start_date_adds_are_compared(caplog: pytest.LogCaptureFixture) -> None:
    state, accounts = UsageState(), with_closed(200)
    assert said(caplog, accounts, state, 200, start_date=day(100)) == ""
    assert " is 77 more " in said(caplog, accounts, state, 200, start_date=day(0))


def test_the_newest_days_are_compared_once_they_have_settled(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What is spent between two requests makes them differ: without fail until a month's third."""
    state, accounts = UsageState(), with_closed(200, closed=[119, 121])
    assert said(caplog, accounts, state, 121, start_date=day(0)) == ""
    assert "in 2026-04-30 is 7 more" in said(caplog, accounts, state, 123, start_date=day(0))
    assert said(caplog, accounts, state, 130, start_date=day(0)) == ""
    assert "in 2026-05-02 is 7 more" in said(caplog, accounts, state, 160, start_date=day(0))
    assert said(caplog, accounts, UsageState(), 2, start_date=day(0)) == ""


@pytest.mark.parametrize("charges", [{10: "7", 50: "-7"}, {10: "7", 11: "-7"}, {50: "-7"}])
def test_amounts_that_cancel_each_other_out_are_seen(
    caplog: pytest.LogCaptureFixture, charges: dict[int, str]
) -> None:
    """The histories are equal in every category, and so may be the months."""
    main, together = with_closed(100, closed=())
    both = {day(n): f"{5 + int(amount)}" for n, amount in charges.items()}
    changed = {each: {"totalprice": price, "sms": price} for each, price in both.items()}
    together.days = {**together.days, **changed}
    found = said(caplog, (main, together), UsageState(), 100, start_date=day(0)).splitlines()
    assert len(found) == len(charges)
    for line, (number, amount) in zip(found, charges.items(), strict=True):
        how = "less" if amount.startswith("-") else "more"
        assert f"its spend in {day(number)} is 7 {how} than that of the accounts" in line


def test_it_takes_one_request_for_each_account_once_a_month(
    caplog: pytest.LogCaptureFixture,
) -> None:
    main, together = with_closed(102, closed=())
    state = UsageState()
    for last in (100, 101, 102):
        assert said(caplog, (main, together), state, last, start_date=day(0)) == ""
    assert main.asked_totals == together.asked_totals == [Window(day(0), day(97))]


@pytest.mark.parametrize("how", ["fails", "lists no day"])
def test_what_cannot_be_compared_is_compared_by_the_next_run(
    caplog: pytest.LogCaptureFixture, how: str
) -> None:
    state, (main, together) = UsageState(), with_closed(100)
    together.error, together.answers = ApiError("no answer") if how == "fails" else None, False
    for _ in range(2):
        assert CANNOT in said(caplog, (main, together), state, 100, start_date=day(0))
    together.error, together.answers = None, True
    assert " is 77 more " in said(caplog, (main, together), state, 100, start_date=day(0))


def test_rounding_of_each_account_is_no_difference(caplog: pytest.LogCaptureFixture) -> None:
    main = Account(only(range(9), FIVE))
    together = Account({**only(range(9), FIVE), day(3): {"totalprice": "5.0001", "sms": "5"}})
    assert said(caplog, (main, together), UsageState(), 8, start_date=day(0)) == ""


def test_an_account_is_asked_for_no_day_before_it_was_created(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Twilio answers these with 404, and then each day is asked for by itself."""
    main, together = with_closed(100)
    young, younger = (Account({}, sid=f"AC{n}", created=day(n)) for n in (50, 99))
    options = {"start_date": day(0), "listed": [main, young, younger]}
    said(caplog, (main, together), UsageState(), 100, **options)
    assert (young.asked_totals, younger.asked_totals) == ([Window(day(50), day(97))], [])
    main.created = day(60)
    said(caplog, (main, together), UsageState(), 100, **options)
    assert together.asked_totals == [Window(day(0), day(97)), Window(day(50), day(97))]


def test_an_excluded_account_that_cannot_be_read_is_no_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seven = {"totalprice": "7", "sms": "7"}
    excluded = Account(only(range(10, 21), seven), sid="AC2", error=ApiError("no"))
    for answers in (False, True):
        main, together = with_closed(100)
        options = {"start_date": day(0), "listed": [main, excluded]}
        caplog.clear()
        found = said(caplog, (main, together), UsageState(), 100, **options)
        assert (found, "excluded accounts that cannot be read: AC2" in caplog.text) == ("", True)
        assert all(excluded.asked_at_once)
        excluded.error, excluded.answers = None, answers
    found = said(caplog, (main, together), UsageState(), 100, **options)
    assert found == ""
    assert "cannot be read" not in caplog.text


def test_a_day_that_the_accounts_together_lack_is_compared_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    state, (main, together) = UsageState(), with_closed(100)
    whole = together.days
    together.days = {each: prices for each, prices in whole.items() if each != day(4)}
    assert CANNOT in said(caplog, (main, together), state, 100, start_date=day(0))
    together.days = whole
    assert " is 77 more " in said(caplog, (main, together), state, 100, start_date=day(0))


def test_a_subaccount_that_is_older_than_the_main_account_is_compared_since_then(
    caplog: pytest.LogCaptureFixture,
) -> None:
    main, together = with_closed(100)
    main.created, older = day(8), Account(only(range(9), FIVE), sid="AC2")
    for account in (main, together):
        account.days = {each: rows for each, rows in account.days.items() if each >= day(8)}
    together.days = {**together.days, day(8): {"totalprice": "10", "sms": "10"}}
    options = {"start_date": day(0), "listed": [main, older]}
    found = said(caplog, (main, together), UsageState(), 100, **options)
    assert " 2026-01-11..2026-01-21 is 77 more " in found
    del together.days[day(8)]
    assert CANNOT in said(caplog, (main, together), UsageState(), 100, **options)


def test_a_stream_with_one_period_compares_too(caplog: pytest.LogCaptureFixture) -> None:
    accounts = with_closed(100)
    options = {"start_date": day(0), "granularity": ALL_TIME}
    assert " is 77 more " in said(caplog, accounts, UsageState(), 100, **options)


@pytest.mark.parametrize(
    ("streams", "settings", "compares"),
    [
        ([DAILY], {"exclude_account_sids": [MAIN_SID]}, True),
        ([DAILY], {"shard": "1/2"}, True),
        ([DAILY], {"shard": "2/2"}, False),  # the first one does
        ([DAILY], {"account_sids": [MAIN_SID]}, False),
        ([RECONCILIATION], {}, True),
        (["usage_records_this_month"], {}, True),
    ],
)
def test_an_account_that_is_never_listed_is_warned_of_in_any_selection(
    lab: Lab, streams: list[str], settings: dict[str, Any], *, compares: bool
) -> None:
    run = lab.with_faults(leaves_out(ACTIVE), *streams, subaccounts="separate", **settings)
    assert run.code == 0
    assert ("it leaves out an account" in warned(run)) == compares
