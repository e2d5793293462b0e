"""`usage_reconciliation`: Twilio's own months against Twilio's own days."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox import AUTH_TOKEN, MAIN_SID, Company, Reply, Server
from sandbox.faults import error
from sandbox.server import Request as Asked
from tap_twilio_usage.logs.anomalies import Findings
from tap_twilio_usage.money.usage_record import Periods, Totals, UsageRecord
from tap_twilio_usage.sync import run as of_sync
from tap_twilio_usage.sync.months import Month, compared
from tap_twilio_usage.sync.reconciliation import Reconciliation
from tap_twilio_usage.sync.state import UsageState
from tap_twilio_usage.twilio.errors import ApiError, InvalidResponseError
from tap_twilio_usage.twilio.periods import DAILY, MONTHLY, Granularity, Window
from tap_twilio_usage.twilio.usage_records import Account, Reported
from tests.clients import client
from tests.conftest import ROOT, Sync, catalog_of
from tests.conftest import Run as TapRun
from tests.forked import Overrides
from tests.http_server import Answer, Request, serve
from tests.options import run_of
from tests.test_focus import usage_record
from tests.twilio import SID, page, record

STREAM = "usage_reconciliation"
LOGGER = logging.getLogger("reconciliation")
JANUARY = Window(date(2026, 1, 1), date(2026, 1, 31))
FEBRUARY = Window(date(2026, 2, 1), date(2026, 2, 28))
MARCH = Window(date(2026, 3, 1), date(2026, 3, 31))
TODAY = date(2026, 3, 10)
AGO = "Twilio's days and month do not agree, though asked twice"


def each_day(window: Window) -> list[date]:
    return [day.start for day in window.split(1, DAILY)]


def total(day: date, price: str | Decimal | None, **fields: Any) -> UsageRecord:
    return usage_record("totalprice", price, start_date=day, end_date=day, **fields)


def totals(prices: Mapping[date, str | Decimal | None], **fields: Any) -> dict[date, UsageRecord]:
    return {day: total(day, price, **fields) for day, price in prices.items()}


def a_dollar_a_day(window: Window) -> dict[date, str]:
    return dict.fromkeys(each_day(window), "1")


def only(months: Iterable[Month]) -> Month:
    (month,) = months
    return month


def of_january(
    days: Totals,
    months: Totals,
    *,
    first_expected: date | None = JANUARY.start,
    price_units: tuple[str, ...] = (),
) -> list[Month]:
    return compared(JANUARY, days, months, first_expected=first_expected, price_units=price_units)


# Months and days, compared.


def test_a_month_has_the_exact_sum_of_its_days_and_twilios_own_total() -> None:
    days = totals({**a_dollar_a_day(JANUARY), JANUARY.end: "0.100000000001"})
    month = only(of_january(days, totals({JANUARY.start: "30.2"})))
    assert (month.days, month.price_unit) == (JANUARY, "usd")
    assert (month.days_expected, month.days_reported) == (31, 31)
    assert (month.daily_total, month.monthly_total) == (Decimal("30.100000000001"), Decimal("30.2"))
    assert month.difference == Decimal("0.099999999999")
    assert (month.is_missing, month.reconciles) == (False, False)


PRICES = st.dictionaries(
    st.sampled_from(each_day(Window(JANUARY.start, MARCH.end))),
    st.decimals(
        allow_nan=False, allow_infinity=False, places=12, min_value=-(10**9), max_value=10**9
    ),
)


@given(PRICES)
def test_every_day_is_in_one_month_and_no_digit_is_lost(prices: dict[date, Decimal]) -> None:
    window = Window(JANUARY.start, MARCH.end)
    months = compared(window, totals(prices), {}, first_expected=None, price_units=())
    assert sum(map(int, (month.daily_total * 10**12 for month in months))) == sum(
        int(price * 10**12) for price in prices.values()
    )
    assert sum(month.days_reported for month in months) == len(prices)


def test_the_longest_prices_are_summed_and_compared_exactly() -> None:
    price, cent = "99999999999999999999999999.999999999998", "0.000000000001"
    days = totals({JANUARY.start: price, date(2026, 1, 2): cent})
    month = only(of_january(days, totals({JANUARY.start: price})))
    assert month.daily_total == Decimal("99999999999999999999999999.999999999999")
    assert month.difference == Decimal("-0.000000000001")
    month = only(of_january(totals({JANUARY.start: cent}), totals({JANUARY.start: price})))
    assert month.difference == Decimal("99999999999999999999999999.999999999997")


def test_days_before_the_account_was_created_are_not_expected() -> None:
    created_on = date(2026, 1, 20)
    days = totals(a_dollar_a_day(Window(created_on, JANUARY.end)))
    month = only(
        of_january(
            days, totals({JANUARY.start: "12"}), first_expected=created_on + timedelta(days=1)
        )
    )
    assert (month.days_expected, month.days_reported) == (12, 12)  # the first as it is reported
    assert month.reconciles


def test_days_that_have_not_begun_are_not_expected() -> None:
    window = Window(MARCH.start, TODAY)
    days = totals(a_dollar_a_day(window))
    month = only(
        compared(
            window, days, totals({MARCH.start: "10"}), first_expected=JANUARY.start, price_units=()
        )
    )
    assert (month.days, month.days_expected, month.days_reported) == (MARCH, 10, 10)


def test_a_missing_day_is_counted() -> None:
    days = totals(a_dollar_a_day(JANUARY))
    del days[date(2026, 1, 15)]
    month = only(of_january(days, totals({JANUARY.start: "30"})))
    assert (month.days_expected, month.days_reported, month.difference) == (31, 30, Decimal(0))
    assert (month.is_missing, month.reconciles) == (True, False)


def test_a_month_without_its_own_record_has_no_total_and_no_difference() -> None:
    month = only(of_january(totals(a_dollar_a_day(JANUARY)), {}))
    assert (month.daily_total, month.monthly_total, month.difference) == (Decimal(31), None, None)
    assert (month.is_missing, month.is_reported) == (True, True)


def test_a_month_without_any_record_is_in_the_currency_of_the_account() -> None:
    month = only(of_january({}, {}, price_units=("eur",)))
    assert (month.price_unit, month.days_expected, month.days_reported) == ("eur", 31, 0)
    assert (month.daily_total, month.monthly_total) == (Decimal(0), None)
    assert not month.is_reported
    assert of_january({}, {}) == []
    assert of_january({}, {}, price_units=("eur",), first_expected=None) == []


def test_a_month_without_any_record_on_a_first_load_is_in_the_currency_of_the_others() -> None:
    window = Window(JANUARY.start, MARCH.end)
    days = totals(a_dollar_a_day(MARCH), price_unit="eur")
    january, february, march = compared(
        window, days, {}, first_expected=FEBRUARY.start - timedelta(days=1), price_units=()
    )
    assert {month.price_unit for month in (january, february, march)} == {"eur"}
    assert [month.days_expected for month in (january, february, march)] == [1, 28, 31]
    assert not january.is_reported
    no_currency = totals(a_dollar_a_day(MARCH), price_unit=None)
    months = compared(window, no_currency, {}, first_expected=JANUARY.start, price_units=())
    assert [month.price_unit for month in months] == [""] * 3


def test_a_day_without_a_price_is_not_reported() -> None:
    days = totals({**a_dollar_a_day(JANUARY), JANUARY.start: None})
    assert only(of_january(days, totals({JANUARY.start: None}))).days_reported == 30
    assert only(of_january(days, totals({JANUARY.start: None}))).monthly_total is None


def test_a_currency_that_a_month_no_longer_has_gets_zeros() -> None:
    days, months = totals(a_dollar_a_day(JANUARY)), totals({JANUARY.start: "31"})
    usd, eur = of_january(days, months, price_units=("eur", "usd"))
    assert (usd.price_unit, usd.daily_total) == ("usd", Decimal(31))
    assert eur == Month(JANUARY, "eur", 0, 0, Decimal(0), Decimal(0), None)
    assert eur.reconciles


def test_currencies_are_not_summed_together() -> None:
    days = totals(a_dollar_a_day(Window(JANUARY.start, date(2026, 1, 10))), price_unit="USD")
    days |= totals(a_dollar_a_day(Window(date(2026, 1, 11), JANUARY.end)), price_unit="eur")
    eur, usd = of_january(days, totals({JANUARY.start: "21"}, price_unit="EUR"))
    assert (eur.price_unit, eur.daily_total, eur.monthly_total) == ("eur", Decimal(21), Decimal(21))
    assert (usd.price_unit, usd.daily_total, usd.monthly_total) == ("usd", Decimal(10), None)
    assert eur.days_reported == usd.days_reported == 31


def test_a_record_without_a_currency_has_that_of_the_others() -> None:
    days = totals(a_dollar_a_day(JANUARY), price_unit=None)
    assert only(of_january(days, totals({JANUARY.start: "31"}))).reconciles


# One run, on accounts that are plain objects.


@dataclass
class FakeAccount:
    """An account that costs a dollar a day; what it answers can be changed."""

    sid: str = "AC1"
    includes_subaccounts: bool = True
    created: date | None = date(2025, 1, 1)
    used_since: date = date.max  # by subaccounts that are older
    missing: set[date] = field(default_factory=set)
    months: dict[date, str | None] = field(default_factory=dict)  # other than the sum of the days
    soon: dict[date, str | None] = field(default_factory=dict)  # when asked again
    findings: Findings = field(default_factory=Findings)
    asked: list[tuple[str, Window]] = field(default_factory=list)

    def fetch_all_time(self) -> list[Reported]:
        raise AssertionError

    def fetch_owner(self) -> str | None:
        return None

    def fetch_date_created(self) -> date | None:
        return self.created

    def fetch_usage(self, granularity: Granularity, window: Window) -> Periods:
        periods = (period.start for period in window.split(1, granularity))
        return {
            day: [total(day, "1")]
            for day in periods
            if granularity.following(day) > self.used_since or self.created in window
        }

    def fetch_current_usage(self, granularity: Granularity) -> Periods:
        raise AssertionError

    def fetch_totals(
        self, granularity: Granularity, window: Window, *, at_once: bool = False
    ) -> Totals:
        self.asked.append((granularity.name, window))
        if granularity is DAILY:
            return totals({day: "1" for day in each_day(window) if day not in self.missing})
        answer = dict(self.months)
        self.months |= self.soon
        sums = {
            month.start: answer.get(month.start, f"{month.days}")
            for month in window.split(1, MONTHLY)
        }
        return totals({day: price for day, price in sums.items() if price is not None})


@dataclass
class Target:
    """A state, and what a target has: the months by account, first day and currency."""

    state: UsageState = field(default_factory=UsageState)
    rows: dict[tuple[str, date, str], Month] = field(default_factory=dict)
    saved: list[UsageState] = field(default_factory=list)

    def load(
        self,
        *accounts: FakeAccount,
        today: date = TODAY,
        stop_after: int = 1000,
        **options: Any,
    ) -> list[date]:
        """Run the stream; return the months that it has emitted, in order."""
        self.saved.clear()
        company = of_sync.Company(
            accounts[0],
            {account.sid: account for account in accounts},
            options.get("separates_accounts", False),
        )
        run = run_of(
            [company],
            self.state,
            granularity=MONTHLY,
            today=today,
            logger=LOGGER,
            write_state=lambda: self.saved.append(self.copy()),
            save=lambda _: self.saved.append(self.copy()),
            **options,
        )
        reconciliation = Reconciliation(run)
        emitted: list[date] = []
        for context in reconciliation.begin():
            for months in reconciliation.months(context):
                for month in months:
                    key = (context.account_sid, month.days.start, month.price_unit)
                    self.rows[key] = month
                    emitted.append(month.days.start)
                if len(emitted) == stop_after:
                    self.state = self.saved[-1]
                    return emitted
        self.state = self.copy()
        return emitted

    def copy(self) -> UsageState:
        """Return the state as the next run reads it."""
        return msgspec.json.decode(msgspec.json.encode(self.state), type=UsageState)

    @property
    def bookmarks(self) -> dict[str, date | None]:
        return {each.context.account_sid: each.bookmark for each in self.state.partitions}


STARTS = [JANUARY.start, FEBRUARY.start, MARCH.start]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]
    caplog.clear()
    return found


def test_months_that_agree_take_two_requests_and_no_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    account, target = FakeAccount(), Target()
    assert target.load(account) == STARTS
    window = Window(JANUARY.start, TODAY)
    assert account.asked == [("daily", window), ("monthly", window)]
    assert all(month.reconciles for month in target.rows.values())
    assert warnings(caplog) == []
    assert target.bookmarks == {"AC1": MARCH.start}


def test_a_difference_is_asked_for_once_more_and_then_warned_of_with_both_sums(
    caplog: pytest.LogCaptureFixture,
) -> None:
    account, target = FakeAccount(months={JANUARY.start: "36.5"}), Target()
    assert target.load(account) == STARTS
    assert account.asked[2:] == [("daily", JANUARY), ("monthly", JANUARY)]
    assert warnings(caplog) == [
        f"AC1: {AGO}: 2026-01: 31 of 31 days, which add up to 31; monthly total 36.5 (usd)"
    ]
    assert target.rows["AC1", JANUARY.start, "usd"].difference == Decimal("5.5")


def test_a_difference_is_said_again_only_if_it_is_another_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    account, target = FakeAccount(months={JANUARY.start: "36.5"}), Target()
    target.load(account)
    assert len(warnings(caplog)) == 1
    target.load(account)
    assert warnings(caplog) == []
    account.months = {JANUARY.start: "37"}
    target.load(account)
    assert len(warnings(caplog)) == 1


def test_a_difference_that_passes_is_not_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    account = FakeAccount(months={FEBRUARY.start: "5"}, soon={FEBRUARY.start: "28"})
    target = Target()
    assert target.load(account) == STARTS
    assert account.asked[2:] == [("daily", FEBRUARY), ("monthly", FEBRUARY)]
    assert warnings(caplog) == []
    assert target.rows["AC1", FEBRUARY.start, "usd"].reconciles


@pytest.mark.parametrize("end_date", [None, date(2026, 3, 5)])
def test_a_month_that_is_not_over_is_neither_asked_twice_nor_warned_of(
    caplog: pytest.LogCaptureFixture, end_date: date | None
) -> None:
    account = FakeAccount(months={MARCH.start: "99"}, missing={date(2026, 3, 2)})
    target = Target()
    assert target.load(account, end_date=end_date) == STARTS
    assert len(account.asked) == 2
    assert warnings(caplog) == []
    month = target.rows["AC1", MARCH.start, "usd"]
    assert month.days_expected == (5 if end_date else 10)
    assert (month.days_reported, month.monthly_total) == (month.days_expected - 1, Decimal(99))


def test_a_month_that_end_date_cuts_off_is_not_over(caplog: pytest.LogCaptureFixture) -> None:
    account = FakeAccount(months={JANUARY.start: "99"})
    Target().load(account, end_date=date(2026, 1, 30))
    assert (len(account.asked), warnings(caplog)) == (2, [])
    Target().load(account, end_date=date(2026, 1, 31))
    assert len(warnings(caplog)) == 1


def test_missing_days_are_said_once_and_asked_for_until_they_are_there(
    caplog: pytest.LogCaptureFixture,
) -> None:
    account, target = FakeAccount(missing={date(2026, 1, 7), date(2026, 1, 8)}), Target()
    target.load(account)
    assert warnings(caplog) == [
        f"AC1: {AGO}: 2026-01: 29 of 31 days, which add up to 29; monthly total 31 (usd)"
    ]
    june = date(2026, 6, 20)
    target.load(account, today=june)
    assert target.load(account, today=june, lookback_days=0)[0] == JANUARY.start
    assert warnings(caplog) == []
    account.missing.clear()
    target.load(account, today=june, lookback_days=0)
    assert target.rows["AC1", JANUARY.start, "usd"].reconciles
    assert target.load(account, today=june, lookback_days=0) == [date(2026, 6, 1)]


def test_the_first_days_of_the_lookback_are_expected_in_later_runs_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    account, target = FakeAccount(), Target()
    target.load(account)
    account.missing = {date(2026, 1, 1), date(2026, 1, 2)}
    target.load(account)
    assert warnings(caplog) == [
        f"AC1: {AGO}: 2026-01: 29 of 31 days, which add up to 29; monthly total 31 (usd)"
    ]
    assert target.rows["AC1", JANUARY.start, "usd"].days_expected == 31


def test_a_month_that_twilio_has_no_record_of_is_said(caplog: pytest.LogCaptureFixture) -> None:
    account, target = FakeAccount(months={FEBRUARY.start: None}), Target()
    assert target.load(account) == STARTS
    assert warnings(caplog) == [
        f"AC1: {AGO}: 2026-02: 28 of 28 days, which add up to 28; monthly total missing (usd)"
    ]
    assert target.rows["AC1", FEBRUARY.start, "usd"].monthly_total is None


def test_nothing_at_all_is_said_and_keeps_the_bookmark(caplog: pytest.LogCaptureFixture) -> None:
    account = FakeAccount(missing=set(each_day(Window(JANUARY.start, MARCH.end))))
    account.months = dict.fromkeys(STARTS)
    target = Target()
    assert target.load(account) == []
    (line,) = warnings(caplog)
    assert line == (
        "AC1: Twilio has no totalprice for any day or month of 2026-01-01..2026-03-10; the next "
        "run asks again"
    )
    assert target.bookmarks == {"AC1": None}
    account.months, account.missing = {}, set()
    assert target.load(account) == STARTS


def test_a_month_without_any_record_is_warned_of_on_the_first_load(
    caplog: pytest.LogCaptureFixture,
) -> None:
    account = FakeAccount(missing=set(each_day(JANUARY)), months={JANUARY.start: None})
    target = Target()
    assert target.load(account) == STARTS
    assert account.asked[2:] == [("daily", JANUARY), ("monthly", JANUARY)]
    assert warnings(caplog) == [
        f"AC1: {AGO}: 2026-01: 0 of 31 days, which add up to 0; monthly total missing (usd)"
    ]
    account.missing, account.months = set(), {}
    assert target.load(account, lookback_days=0) == STARTS  # asked for until it is there
    assert target.rows["AC1", JANUARY.start, "usd"].reconciles


def test_the_newest_months_without_any_record_keep_the_bookmark(
    caplog: pytest.LogCaptureFixture,
) -> None:
    account, target = FakeAccount(), Target()
    target.load(account, today=date(2026, 1, 31))
    account.missing = set(each_day(Window(FEBRUARY.start, MARCH.end)))
    account.months = {FEBRUARY.start: None, MARCH.start: None}
    assert target.load(account) == STARTS
    assert target.bookmarks == {"AC1": JANUARY.start}
    assert warnings(caplog) == [
        f"AC1: {AGO}: 2026-02: 0 of 28 days, which add up to 0; monthly total missing (usd)"
    ]


def test_an_account_whose_creation_cannot_be_read_begins_with_its_first_day() -> None:
    account, target = FakeAccount(created=None), Target()
    account.missing = set(each_day(Window(JANUARY.start, date(2026, 1, 20))))
    account.months = {JANUARY.start: "11"}
    target.load(account)
    month = target.rows["AC1", JANUARY.start, "usd"]
    assert (month.days_expected, month.reconciles) == (11, True)
    account.missing.add(date(2026, 2, 3))  # what is expected is remembered
    target.load(account)
    assert target.rows["AC1", FEBRUARY.start, "usd"].days_expected == 28


def test_an_account_that_was_created_later_begins_in_that_month() -> None:
    account, target = FakeAccount(created=date(2026, 2, 10)), Target()
    account.missing = set(each_day(Window(JANUARY.start, date(2026, 2, 10))))
    account.months = {FEBRUARY.start: "18"}
    assert target.load(account) == [FEBRUARY.start, MARCH.start]
    assert target.rows["AC1", FEBRUARY.start, "usd"].reconciles
    assert account.asked[0] == ("daily", Window(FEBRUARY.start, TODAY))


def test_a_main_account_younger_than_its_subaccounts_begins_with_their_first_month() -> None:
    account, target = FakeAccount(created=date(2026, 3, 5), used_since=date(2026, 1, 20)), Target()
    account.missing = set(each_day(Window(JANUARY.start, date(2026, 1, 19))))
    account.months = {JANUARY.start: "12"}
    assert target.load(account) == STARTS
    assert all(month.reconciles for month in target.rows.values())
    assert target.rows["AC1", JANUARY.start, "usd"].days_expected == 12
    target = Target()
    target.load(account, start_date=MARCH.start)
    assert target.load(account, start_date=date(2025, 11, 5)) == STARTS


@pytest.mark.parametrize(
    ("created", "is_warned_of"),
    [(TODAY, False), (date(2026, 3, 9), False), (date(2026, 3, 8), True), (None, True)],
)
def test_an_account_without_a_day_that_is_over_is_not_warned_of(
    caplog: pytest.LogCaptureFixture, created: date | None, *, is_warned_of: bool
) -> None:
    caplog.set_level(logging.INFO)
    account = FakeAccount(created=created, missing=set(each_day(Window(JANUARY.start, TODAY))))
    account.months = dict.fromkeys(STARTS)
    assert Target().load(account) == []
    (line,) = [each for each in caplog.records if "no totalprice" in each.getMessage()]
    assert line.levelno == (logging.WARNING if is_warned_of else logging.INFO)


def test_months_before_the_first_totalprice_are_warned_of_if_the_creation_is_unknown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    account = FakeAccount(created=None, missing=set(each_day(Window(JANUARY.start, FEBRUARY.end))))
    account.months = {JANUARY.start: None, FEBRUARY.start: None}
    says = (
        "AC1: Twilio has no totalprice for 2026-01-01..2026-02-28; whether the account existed "
        "then cannot be read with these credentials"
    )
    target = Target()
    assert target.load(account) == [MARCH.start]
    assert warnings(caplog) == [says]
    target.load(account)
    assert warnings(caplog) == []
    target = Target()
    target.load(account, start_date=MARCH.start)
    assert warnings(caplog) == []
    assert target.load(account, start_date=JANUARY.start) == [MARCH.start]
    assert warnings(caplog) == [says]
    target.load(account, start_date=JANUARY.start)
    assert warnings(caplog) == []


def test_an_earlier_start_date_is_loaded_also_with_an_end_date_before_the_lookback() -> None:
    account, target, july = FakeAccount(), Target(), date(2026, 7, 20)
    target.load(account, today=july, start_date=date(2026, 6, 1))
    earlier: dict[str, Any] = {"today": july, "start_date": JANUARY.start, "lookback_days": 0}
    end = FEBRUARY.start + timedelta(days=9)
    assert target.load(account, **earlier, end_date=end) == STARTS[:2]
    assert target.load(account, **earlier, end_date=date(2026, 6, 10))[:4] == [
        *STARTS,
        date(2026, 4, 1),
    ]
    assert target.rows["AC1", FEBRUARY.start, "usd"].days_reported == 28
    # The months after the earlier ones, which end_date would cut off, stay as they are.
    assert target.rows["AC1", date(2026, 6, 1), "usd"].days_reported == 30
    assert target.load(account, **earlier, end_date=date(2026, 6, 10)) == []
    assert target.load(account, **earlier) == [date(2026, 7, 1)]
    assert target.bookmarks == {"AC1": date(2026, 7, 1)}


def test_a_missing_month_after_end_date_stays_in_the_state() -> None:
    account, target = FakeAccount(months={MARCH.start: None}), Target()
    june: dict[str, Any] = {"today": date(2026, 6, 20), "start_date": JANUARY.start}
    target.load(account, **june)
    target.load(account, **june, end_date=date(2026, 3, 10), lookback_days=200)
    assert target.state.partitions[0].missing_days == [MARCH]
    account.months = {}
    assert target.load(account, **june, lookback_days=0)[0] == MARCH.start
    assert target.state.partitions[0].missing_days == []


def test_a_start_date_that_was_moved_back_is_loaded_after_a_first_load_that_was_cut_off() -> None:
    account, target = FakeAccount(), Target()
    earlier: dict[str, Any] = {"start_date": JANUARY.start, "lookback_days": 0}
    target.load(account, start_date=FEBRUARY.start, stop_after=2)
    assert target.bookmarks == {"AC1": FEBRUARY.start}
    assert target.load(account, **earlier, stop_after=1) == STARTS[:1]
    assert target.load(account, **earlier) == STARTS
    assert target.load(account, **earlier) == [MARCH.start]


def test_months_that_a_start_date_left_out_are_loaded_when_it_is_moved_back() -> None:
    account, target = FakeAccount(), Target()
    target.load(account, start_date=JANUARY.start, end_date=JANUARY.end, lookback_days=0)
    for start, months in (
        (MARCH, [MARCH]),
        (MARCH, [MARCH]),
        (JANUARY, [JANUARY, FEBRUARY, MARCH]),
    ):
        emitted = target.load(account, start_date=start.start, lookback_days=0)
        assert emitted == [month.start for month in months]
    assert target.load(account, start_date=JANUARY.start, lookback_days=0) == [MARCH.start]


def test_days_that_such_a_month_lacks_are_said_once(caplog: pytest.LogCaptureFixture) -> None:
    account, target = FakeAccount(missing={date(2026, 2, 7)}), Target()
    target.load(account, start_date=JANUARY.start, end_date=JANUARY.end, lookback_days=0)
    target.load(account, start_date=MARCH.start, lookback_days=0)
    assert "start_date leaves out days" in warnings(caplog)[0]
    target.load(account, start_date=JANUARY.start, lookback_days=0)
    (said,) = warnings(caplog)
    assert "2026-02: 27 of 28 days" in said
    target.load(account, start_date=JANUARY.start, lookback_days=0)
    assert warnings(caplog) == []


def test_the_next_run_reads_the_lookback_in_whole_months() -> None:
    account, target = FakeAccount(), Target()
    target.load(account)
    assert target.load(account, lookback_days=1) == [FEBRUARY.start, MARCH.start]
    assert target.load(account, lookback_days=0) == [MARCH.start]


def test_a_start_date_that_was_moved_back_is_loaded_also_after_an_interruption() -> None:
    account, target = FakeAccount(), Target()
    target.load(account, start_date=FEBRUARY.start)
    earlier: dict[str, Any] = {"start_date": date(2025, 11, 15), "lookback_days": 0}
    months = [date(2025, 11, 1), date(2025, 12, 1), *STARTS]
    assert target.load(account, stop_after=1, **earlier) == months[:1]
    assert target.load(account, **earlier) == months
    assert target.load(account, **earlier) == [MARCH.start]


def test_a_run_that_ends_early_resumes_from_its_last_state() -> None:
    account, target = FakeAccount(missing={date(2026, 1, 7)}), Target()
    assert target.load(account, stop_after=2) == STARTS[:2]
    assert target.bookmarks == {"AC1": JANUARY.start}
    assert target.load(account, lookback_days=0) == STARTS  # with the month that lacks a day
    whole = Target()
    whole.load(account)
    assert target.rows == whole.rows
    assert target.bookmarks == whole.bookmarks


def test_the_state_has_the_first_month_and_the_currency_before_a_row_goes_out() -> None:
    target = Target()
    target.load(FakeAccount(), stop_after=1)
    (state,) = target.saved[-1].partitions
    assert (state.first_day, state.price_units, state.bookmark) == (JANUARY.start, ["usd"], None)


def test_a_change_to_rolled_up_sets_the_months_of_subaccounts_to_zero() -> None:
    target = Target()
    apart = [FakeAccount(sid, includes_subaccounts=False) for sid in ("AC1", "AC2")]
    target.load(*apart, separates_accounts=True)
    assert target.load(FakeAccount("AC1"), stop_after=2) == STARTS[:2]
    assert target.load(FakeAccount("AC1")) == [*STARTS, *STARTS]
    zeros = {key: month for key, month in target.rows.items() if key[0] == "AC2"}
    assert all(month[2:6] == (0, 0, Decimal(0), Decimal(0)) for month in zeros.values())
    assert [day for _, day, _ in zeros] == STARTS
    assert target.load(FakeAccount("AC1"), lookback_days=0) == [MARCH.start]
    target.load(*apart, separates_accounts=True, start_date=MARCH.start)
    assert all(month.daily_total == month.days_expected > 0 for month in target.rows.values())


def test_a_change_to_rolled_up_reads_the_months_before_the_main_account_was_created() -> None:
    target, older = Target(), FakeAccount("AC2", includes_subaccounts=False)
    main = FakeAccount("AC1", includes_subaccounts=False, created=date(2026, 3, 5))
    target.load(main, older, separates_accounts=True)
    whole = FakeAccount("AC1", created=date(2026, 3, 5), used_since=JANUARY.start)
    target.load(whole, start_date=FEBRUARY.start)
    assert target.rows["AC1", JANUARY.start, "usd"].daily_total == 31


def test_a_change_to_excluded_reads_all_months_again() -> None:
    target = Target()
    target.load(FakeAccount())
    assert target.load(FakeAccount(includes_subaccounts=False), start_date=MARCH.start) == STARTS
    (state,) = target.state.partitions
    assert not state.context.includes_subaccounts
    assert state.price_units == ["usd"]


# The requests.


def fetch(answer: Callable[[Request], Answer], granularity: Granularity, window: Window) -> Any:
    with serve(answer) as server:
        account = Account(
            client(server.url),
            SID,
            includes_subaccounts=True,
            page_size=1000,
            today=lambda: TODAY,
        )
        return account.fetch_totals(granularity, window), server.requests


def test_only_the_total_is_asked_for_and_kept() -> None:
    """A server that does not know `Category` sends every category."""

    def answer(_: Request) -> Answer:
        return Answer.json(page([record("calls", "1"), record("TotalPrice", "3")]))

    found, (request,) = fetch(answer, DAILY, Window(JANUARY.start, JANUARY.start))
    assert [(day, row.price) for day, row in found.items()] == [(JANUARY.start, Decimal(3))]
    assert request.query == {
        "StartDate": "2026-01-01",
        "EndDate": "2026-01-01",
        "Category": "totalprice",
        "IncludeSubaccounts": "true",
        "PageSize": "1000",
    }


def test_a_month_that_began_before_the_account_has_its_first_day() -> None:
    created = record("totalprice", "3", "2026-01-20", end_date="2026-01-31")
    found, _ = fetch(lambda _: Answer.json(page([created])), MONTHLY, JANUARY)
    assert list(found) == [JANUARY.start]


def test_a_404_is_about_some_months_only() -> None:
    def answer(request: Request) -> Answer:
        if request.query["StartDate"] != "2026-02-01":
            return Answer.error(404, 20404)
        assert request.query["Category"] == "totalprice"
        return Answer.json(page([record("totalprice", "3", "2026-02-01", end_date="2026-02-28")]))

    found, requests = fetch(answer, MONTHLY, Window(JANUARY.start, FEBRUARY.end))
    assert (list(found), len(requests)) == ([FEBRUARY.start], 3)


def test_a_day_that_was_not_asked_for_is_refused() -> None:
    with pytest.raises(InvalidResponseError, match="which was not requested"):
        fetch(lambda _: Answer.json(page([record("totalprice", "3")])), DAILY, FEBRUARY)


def test_two_currencies_of_one_day_are_refused() -> None:
    rows = [record("totalprice", "3", price_unit=unit) for unit in ("usd", "eur")]
    with pytest.raises(ApiError, match="two currencies"):
        fetch(lambda _: Answer.json(page(rows)), DAILY, JANUARY)


# The stream, by runs of the tap against the sandbox.

FIRST, LAST = date(2025, 8, 1), date(2025, 10, 5)
FEE = Decimal("12.345678")
MONTHS = [date(2025, 8, 1), date(2025, 9, 1), date(2025, 10, 1)]


@pytest.fixture
def company() -> Company:
    return Company(
        today=LAST, since=date(2025, 7, 20), categories=60, late_fees={date(2025, 8, 1): FEE}
    )


def settings(server: Server, **more: Any) -> dict[str, Any]:
    return {
        "account_sid": MAIN_SID,
        "auth_token": AUTH_TOKEN,
        "start_date": f"{FIRST}",
        "end_date": f"{LAST}",
        "api_url": server.url,
        **more,
    }


def catalog(*streams: str) -> dict[str, Any]:
    files = (ROOT / "tests" / "catalogs").glob("*.json")
    entries = [json.loads(file.read_text()) for file in files if "billing" not in file.stem]
    return catalog_of({"streams": entries}, *streams)


def paths(server: Server) -> list[str]:
    return [request.path.rpartition("/")[2] for request in server.requests]


def check_rows(run: TapRun, company: Company, sids: list[str], *, inside: bool) -> None:
    found = {(r["account_sid"], r["start_date"]): r for r in run.records(STREAM)}
    created = {account.sid: account.date_created for account in company.accounts()}
    expected = {}
    for sid in sids:
        for month in MONTHS:
            last = min(MONTHLY.following(month) - timedelta(days=1), LAST)
            days = each_day(Window(max(month, created[sid]), last))
            if days:
                sums = (company.total(day, sid, include_subaccounts=inside) for day in days)
                expected[sid, f"{month}"] = (sum(sums, Decimal(0)), len(days))
    assert {key: (r["daily_total"], r["days_expected"]) for key, r in found.items()} == expected
    fee = (MAIN_SID, "2025-08-01")
    for key, row in found.items():
        assert row["difference"] == (FEE if key == fee else 0)
        assert row["monthly_total"] == row["daily_total"] + row["difference"]
        assert row["days_reported"] == row["days_expected"]
        assert row["includes_subaccounts"] == inside
        assert row["price_unit"] == "usd"
        assert row["as_of"]
        assert date.fromisoformat(row["end_date"]) == MONTHLY.following(
            date.fromisoformat(row["start_date"])
        ) - timedelta(days=1)
    (line,) = [line for line in run.log.splitlines() if "WARNING" in line and STREAM in line]
    total = expected[fee][0]
    assert f"which add up to {total:,f}; monthly total {total + FEE:,f} (usd)" in line


@pytest.mark.parametrize("focus", [False, True])
@pytest.mark.parametrize("subaccounts", ["rolled_up", "excluded", "separate"])
def test_each_mode_has_the_months_of_its_accounts(
    sync: Sync, server: Server, company: Company, subaccounts: str, *, focus: bool
) -> None:
    streams = (STREAM, "usage_records_daily") if focus else (STREAM,)
    run = sync(settings(server, subaccounts=subaccounts, focus=focus), catalog=catalog(*streams))
    assert run.code == 0, run.log
    is_apart = subaccounts == "separate"
    sids = [each.sid for each in company.accounts()] if is_apart else [MAIN_SID]
    check_rows(run, company, sids, inside=subaccounts == "rolled_up")
    partitions = run.states[-1]["bookmarks"][STREAM]["partitions"]
    assert {p["context"]["account_sid"]: p["replication_key_value"] for p in partitions} == (
        dict.fromkeys(sids, "2025-10-01")
    )
    if not focus:
        # Two requests an account, and two more for the month with the fee. If each account is
        # read by itself, one more, once a month, and one for all accounts together.
        compared = len(sids) + 1 if is_apart else 0
        assert sorted(p for p in paths(server) if "Daily" in p or "Monthly" in p) == (
            ["Daily.json"] * (len(sids) + 1 + compared) + ["Monthly.json"] * (len(sids) + 1)
        )


def test_it_is_selected_by_default_but_not_with_separate(sync: Sync, server: Server) -> None:
    for subaccounts, selected in {"rolled_up": True, "excluded": True, "separate": False}.items():
        run = sync(settings(server, subaccounts=subaccounts), "--discover")
        (stream,) = (s for s in run.catalog["streams"] if s["tap_stream_id"] == STREAM)
        (entry,) = (e["metadata"] for e in stream["metadata"] if not e["breadcrumb"])
        assert entry.get("selected", entry.get("selected-by-default")) == selected


def failing(resource: str, status: int) -> Callable[[Asked], Callable[[Reply], Reply] | None]:
    """Fail the requests for totals of one resource."""

    def plan(request: Asked) -> Callable[[Reply], Reply] | None:
        is_one = request.path.endswith(f"{resource}.json") and "Category" in request.query
        return error(status, 20500, "no") if is_one else None

    return plan


@pytest.mark.parametrize("resource", ["Daily", "Monthly"])
def test_a_failure_keeps_its_bookmark_and_the_other_streams_are_loaded(
    sync: Sync, server: Server, resource: str
) -> None:
    server.plan = failing(resource, 500)
    streams = (STREAM, "usage_records_daily")
    run = sync(
        settings(server, start_date="2025-10-01"),
        catalog=catalog(*streams),
        overrides=Overrides(speed=500),
    )
    assert run.code == 1
    assert run.records(STREAM) == []
    assert {row["start_date"] for row in run.records()} >= {"2025-10-01", f"{LAST}"}
    assert f"{MAIN_SID}: {STREAM}: " in run.last_line
    assert "everything else is complete" in run.last_line
    (partition,) = run.states[-1]["bookmarks"][STREAM]["partitions"]
    assert "replication_key_value" not in partition
    server.plan = None
    again = sync(
        settings(server, start_date="2025-10-01"), catalog=catalog(STREAM), state=run.states[-1]
    )
    assert (again.code, len(again.records(STREAM))) == (0, 1)


def test_one_account_that_fails_leaves_the_others_complete(sync: Sync, server: Server) -> None:
    second = "AC" + "2".zfill(32)
    server.plan = lambda asked: error(403, 20003, "no") if second in asked.path else None
    run = sync(
        settings(server, subaccounts="separate"),
        catalog=catalog(STREAM),
        overrides=Overrides(speed=500),
    )
    assert run.code == 1
    assert f"{second}: {STREAM}: " in run.last_line
    assert len({row["account_sid"] for row in run.records(STREAM)}) == 3


def test_test_says_whether_it_can_be_read(sync: Sync, server: Server) -> None:
    assert f"{STREAM} can be read" in sync(settings(server), "--test").log
    server.plan = failing("Monthly", 403)
    run = sync(settings(server), "--test", overrides=Overrides(speed=500))
    assert run.code == 1
    assert f"{STREAM}: " in run.last_line


def test_a_second_run_reads_the_lookback_and_every_state_can_be_resumed(
    sync: Sync, server: Server
) -> None:
    first = sync(settings(server, lookback_days=0), catalog=catalog(STREAM))
    rows = {r["start_date"]: {**r, "as_of": None} for r in first.records(STREAM)}
    last = [*rows][-1]
    for state in first.states:
        server.requests.clear()
        run = sync(settings(server, lookback_days=0), catalog=catalog(STREAM), state=state)
        found = {r["start_date"]: {**r, "as_of": None} for r in run.records(STREAM)}
        partition = {} if state is first.states[0] else state["bookmarks"][STREAM]["partitions"][0]
        begun = partition.get("replication_key_value", f"{FIRST}")
        assert found == {day: row for day, row in rows.items() if day >= begun}
    assert list(found) == [last]
    asked = {r.query.get("StartDate") for r in server.requests}
    assert asked == {"2025-10-01"}


def test_years_of_days_are_read_in_pages(sync: Sync, company: Company, server: Server) -> None:
    run = sync(settings(server, page_size=10), catalog=catalog(STREAM))
    assert run.code == 0
    check_rows(run, company, [MAIN_SID], inside=True)
    assert paths(server).count("Daily.json") > 7
