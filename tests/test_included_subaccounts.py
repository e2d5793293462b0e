"""IncludeSubaccounts that Twilio ignores: the spend of all subaccounts is missing, and said."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import pytest

from sandbox import MAIN_SID, Company
from tap_twilio_usage.money.usage_record import Totals
from tap_twilio_usage.sync.state import UsageState
from tap_twilio_usage.twilio.errors import ApiError, NotFound, RetriesExhausted
from tap_twilio_usage.twilio.periods import Granularity, Window
from tests.conftest import Sync
from tests.faults.conftest import SPEED, TODAY, Lab, warned
from tests.forked import Overrides
from tests.test_pipeline import FakeAccount, day, only, pipeline

FIVE, SEVEN, TWELVE, REFUND, REFUNDED, ZEROS = (
    {"totalprice": price, "sms": price} for price in ("5", "7", "12", "-7", "-2", "0")
)
SAID = (
    "AC1: its subaccounts have {} of spend in {}, which Twilio does not include, though the tap "
    "asks for it: it is not loaded; set subaccounts to separate"
)


@dataclass
class Account(FakeAccount):
    """An account that may not answer for its totals."""

    created: date | None = date(2025, 1, 1)
    error: ApiError | None = None
    asked_totals: list[Window] = field(default_factory=list)

    def fetch_totals(
        self, granularity: Granularity, window: Window, *, at_once: bool = False
    ) -> Totals:
        self.asked_totals.append(window)
        if self.error:
            raise self.error
        return super().fetch_totals(granularity, window)


def own() -> Account:
    return Account(only(range(300), FIVE), includes_subaccounts=False)


def subaccount(days: Any = None, **more: Any) -> Account:
    return Account(only(range(300), TWELVE) if days is None else days, sid="AC2", **more)


def load(  # noqa: PLR0913
    caplog: pytest.LogCaptureFixture,
    main: Account,
    without: Account | None,
    *subaccounts: Account,
    state: UsageState,
    last: int,
    can_list: bool = True,
    **options: Any,
) -> str:
    """Load the main account; return the warnings."""
    caplog.clear()
    caplog.set_level(logging.INFO)
    if without:
        without.today = day(last)
    run = pipeline(
        main,
        state=state,
        today=day(last),
        saved=[],
        listed=(),
        without_subaccounts=without,
        fetch_subaccounts=(lambda: [*subaccounts]) if can_list else None,
        **{"start_date": day(0), **options},
    )
    for context in run.begin():
        list(run.rows(context))
    run.end()
    return "\n".join(each.getMessage() for each in caplog.records if each.levelno > logging.INFO)


def test_spend_that_is_not_included_is_said_once_a_month(caplog: pytest.LogCaptureFixture) -> None:
    state, ignored, listed = UsageState(), own(), [subaccount(), subaccount(only([10], FIVE))]
    said = load(caplog, own(), ignored, *listed, state=state, last=20)
    assert said == SAID.format(18 * 12 + 5, "2026-01-01..2026-01-18")
    for last in (21, 30):
        assert load(caplog, own(), ignored, *listed, state=state, last=last) == ""
    said = load(caplog, own(), ignored, *listed, state=state, last=35)
    assert said == SAID.format(33 * 12 + 5, "2026-01-01..2026-02-02")
    assert len(ignored.asked_totals) == 2


def test_subaccounts_that_are_included_are_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    """Nor is one that Twilio includes, though it does not list it any more."""
    both = Account({**only(range(300), FIVE), **only([6, 7], TWELVE), **only([8], REFUNDED)})
    listed = subaccount({**only([7], SEVEN), **only([8], REFUND)})
    assert load(caplog, both, own(), listed, state=UsageState(), last=20) == ""


def test_one_of_several_that_is_not_included_is_said(caplog: pytest.LogCaptureFixture) -> None:
    whole, state = Account({**only(range(300), TWELVE), **only([9], FIVE)}), UsageState()
    listed = subaccount(only([*range(9), *range(10, 300)], SEVEN))
    other = subaccount({**only([8], SEVEN), **only([9], REFUND)})
    assert load(caplog, whole, own(), listed, state=state, last=20) == ""
    said = load(caplog, whole, own(), listed, other, state=UsageState(), last=20)
    assert said == SAID.format(14, "2026-01-09..2026-01-10")


def test_subaccounts_without_spend_are_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    """So are those that are younger than the days."""
    unused, young = subaccount(only(range(300), ZEROS)), subaccount(created=day(25))
    assert load(caplog, own(), own(), unused, young, state=UsageState(), last=20) == ""
    assert young.asked_totals == []
    assert load(caplog, own(), own(), state=UsageState(), last=20) == ""


def test_credentials_that_cannot_list_them_say_so(caplog: pytest.LogCaptureFixture) -> None:
    state = UsageState()
    for last in (20, 21):
        assert load(caplog, own(), own(), state=state, last=last, can_list=False) == ""
        said = "AC1: Twilio's AllTime is the same with and without subaccounts; whether these have"
        assert (said in caplog.text) == (last == 20)


def test_a_subaccount_that_cannot_be_read_hinders_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    closed = subaccount(error=NotFound("no data"))
    said = load(caplog, own(), own(), closed, subaccount(), state=UsageState(), last=20)
    assert said == SAID.format(18 * 12, "2026-01-01..2026-01-18")
    assert len(closed.asked_totals) == 1
    assert (
        "in 2026-01-01..2026-01-18 includes these subaccounts cannot be checked: AC2" in caplog.text
    )


@pytest.mark.parametrize("which", ["main", "without", "subaccount"])
def test_an_error_is_said_and_the_next_run_compares(
    caplog: pytest.LogCaptureFixture, which: str
) -> None:
    state, accounts = UsageState(), {"main": own(), "without": own(), "subaccount": subaccount()}
    accounts[which].error = RetriesExhausted("gave up")
    assert load(caplog, *accounts.values(), state=state, last=20) == ""
    cannot = "whether its usage includes its subaccounts cannot be checked; the next run tries"
    assert f"AC1: {cannot} again: gave up" in caplog.text
    accounts[which].error = None
    assert "AC1: its subaccounts have" in load(caplog, *accounts.values(), state=state, last=21)


def test_the_newest_days_and_days_before_the_creation_are_not_compared(
    caplog: pytest.LogCaptureFixture,
) -> None:
    main, without = own(), own()
    main.created = day(5)
    load(caplog, main, without, subaccount(), state=UsageState(), last=20)
    assert without.asked_totals == [Window(day(5), day(17))]
    without = own()
    load(caplog, own(), without, subaccount(), state=UsageState(), last=2)
    assert without.asked_totals == []


def test_days_after_an_end_date_are_compared_later(caplog: pytest.LogCaptureFixture) -> None:
    state, without = UsageState(), own()
    for last, end in ((70, 40), (71, 40), (72, None)):
        options: Any = {"end_date": end and day(end)}
        load(caplog, own(), without, subaccount(), state=state, last=last, **options)
    assert without.asked_totals == [Window(day(0), day(40)), Window(day(31), day(69))]
    earlier: Any = {"start_date": date(2025, 12, 5)}
    load(caplog, own(), without, subaccount(), state=state, last=73, **earlier)
    assert without.asked_totals[2:] == [Window(date(2025, 12, 1), day(70))]


def test_a_clock_that_was_ahead_hinders_no_comparison(caplog: pytest.LogCaptureFixture) -> None:
    state, without = UsageState(), own()
    for last in (250, 20, 21):
        load(caplog, own(), without, subaccount(), state=state, last=last)
    assert without.asked_totals == [Window(day(0), day(247)), Window(day(0), day(17))]


def test_days_of_another_mode_are_compared_after_the_change(
    caplog: pytest.LogCaptureFixture,
) -> None:
    state = UsageState()
    for without in (own(), None, own()):
        said = load(caplog, own(), without, subaccount(), state=state, last=20)
        assert bool(said) == (without is not None)


class Ignoring(Company):
    """A company of a Twilio that ignores IncludeSubaccounts."""

    def _included(self, account: str, *, include_subaccounts: bool) -> tuple[str, ...]:
        return super()._included(account, include_subaccounts=False)


@pytest.mark.parametrize("kind", [Company, Ignoring])
def test_two_streams_ask_once(sync: Sync, kind: type[Company]) -> None:
    company = kind(since=date(2025, 6, 1), today=TODAY, subaccounts=2, categories=1)
    noon = datetime(TODAY.year, TODAY.month, TODAY.day, 12).astimezone()
    run = Lab(sync, company).with_faults(
        lambda _: None,
        "usage_records_daily",
        "usage_records_monthly",
        start_date="2025-09-01",
        end_date=f"{TODAY}",
        overrides=Overrides(SPEED, now=noon),
    )
    said = f"{MAIN_SID}: its subaccounts have "
    assert (run.code, warned(run).count(said)) == (0, 1 if kind is Ignoring else 0)
