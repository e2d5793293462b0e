"""The comparison of subaccounts with those that have a connection, on plain objects."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from tap_twilio_usage.sync.run import Company
from tap_twilio_usage.sync.state import UsageState
from tap_twilio_usage.sync.unnamed_subaccounts import UnnamedSubaccounts
from tap_twilio_usage.twilio.periods import DAILY
from tests.clients import LOGGER
from tests.options import run_of
from tests.test_pipeline import FakeAccount

TODAY, START = date(2026, 6, 20), date(2026, 1, 1)
MONTHS = [date(2026, month, 1) for month in range(1, 7)]


@dataclass
class Account(FakeAccount):
    """An account with a spend of each month; `owner` is None if it cannot be read."""

    owner: str | None = None

    def fetch_owner(self) -> str | None:
        return self.owner


def connection(
    sid: str, *, own: int, named: int = 0, unnamed: Iterable[int] = (), owner: str | None = None
) -> Company:
    """Return an account that has 7 more in subaccounts in the `unnamed` months."""
    more = {month: 7 if month.month in unnamed else 0 for month in MONTHS}
    alone = {month: {"totalprice": f"{own}"} for month in MONTHS}
    whole = {month: {"totalprice": f"{own + named + each}"} for month, each in more.items()}
    main = Account(alone, sid=sid, includes_subaccounts=False, owner=owner)
    together = Account(whole, sid=sid, owner=owner)
    return Company(main, {sid: main}, separates=True, together=together)


def said(
    caplog: pytest.LogCaptureFixture,
    companies: list[Company],
    state: UsageState | None = None,
    today: date = TODAY,
    **options: Any,
) -> list[str]:
    """Compare them; return the months of the warnings."""
    caplog.clear()
    options = {"lookback_days": 1, "start_date": START, "separates_accounts": True, **options}
    run = run_of(
        companies, state or UsageState(), granularity=DAILY, today=today, logger=LOGGER, **options
    )
    UnnamedSubaccounts(run).end()
    for each in caplog.records:
        assert (each.levelno, " 7 more spend in " in each.getMessage()) == (logging.WARNING, True)
    return [each.getMessage().partition(" in ")[2][:7] for each in caplog.records]


SUBACCOUNT = connection("AC2", own=4)


def test_one_that_spent_only_in_older_months_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    state, older = UsageState(), connection("AC1", own=5, named=4, unnamed=[2, 3])
    assert said(caplog, [connection("AC1", own=5, named=4), SUBACCOUNT]) == []
    assert said(caplog, [older, SUBACCOUNT], start_date=date(2026, 4, 1)) == []
    assert said(caplog, [older, SUBACCOUNT], state) == ["2026-02", "2026-03"]
    for today in (TODAY, date(2026, 7, 2)):
        assert said(caplog, [older, SUBACCOUNT], state, today) == []


def test_months_without_a_run_are_compared_by_the_next_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    state, account = UsageState(), connection("AC1", own=5, named=4, unnamed=[3])
    assert said(caplog, [account, SUBACCOUNT], state, date(2026, 2, 27)) == []
    assert said(caplog, [account, SUBACCOUNT], state) == ["2026-03"]


@pytest.mark.parametrize(
    ("own", "owner", "is_said"),
    [
        (9, "AC3", True),
        (9, "AC1", False),
        (9, None, False),  # it may be a subaccount of the first one, which then has no other
        (12, None, True),  # all subaccounts of the first one have 11
    ],
)
def test_the_spend_of_another_company_hides_none(
    caplog: pytest.LogCaptureFixture, own: int, owner: str | None, *, is_said: bool
) -> None:
    account = connection("AC1", own=5, named=4, unnamed=range(1, 7))
    other = connection("AC3", own=own, owner=owner)
    months = [f"{month:%Y-%m}" for month in MONTHS]
    assert said(caplog, [account, SUBACCOUNT, other]) == (months if is_said else [])


def test_a_subaccount_that_spends_during_the_run_is_no_other_company(
    caplog: pytest.LogCaptureFixture,
) -> None:
    account, growing = connection("AC1", own=5, named=4), connection("AC2", own=4)
    assert isinstance(growing.main, Account)
    growing.main.days = {**growing.main.days, MONTHS[-1]: {"totalprice": "5"}}
    assert said(caplog, [account, growing]) == []
