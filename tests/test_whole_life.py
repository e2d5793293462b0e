"""Spend that AllTime has and no day: it is said once, whatever ends or changes in between."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from itertools import product
from typing import Any

import msgspec
import pytest

from tap_twilio_usage.money.usage_record import Totals
from tap_twilio_usage.sync.state import UsageState
from tap_twilio_usage.twilio.errors import ApiError
from tap_twilio_usage.twilio.periods import MONTHLY, YEARLY, Granularity
from tests.conftest import nightly
from tests.test_pipeline import PRICES, FakeAccount, day, load, only, pipeline

ZEROS = dict.fromkeys(PRICES, "0")
MORE = r"(WARNING|INFO) .* AllTime has (\S+) more than all days (?:before and )?since"
FIVE = ["5"]


def by_day(often: set[tuple[Any, ...]], cases: Iterable[tuple[Any, ...]]) -> list[Any]:
    return [case if case in often else nightly(*case) for case in cases]


class Nights:
    """Runs of one account, whose days so far are those of `days`."""

    def __init__(self, caplog: pytest.LogCaptureFixture, **account: Any) -> None:
        caplog.set_level(logging.INFO)
        account = {"includes_subaccounts": False, "created": day(0), "days": {}, **account}
        self.account = FakeAccount(**account)
        self.days = dict(only(range(-30, 99)))
        self.state = UsageState()
        self.log = caplog

    def load(self, last: int, **options: Any) -> list[str]:
        """Load up to a day; return how much the log says that AllTime has more."""
        self._now(last)
        load(self.account, self.state, day(last), **{"start_date": day(0), **options})
        return [amount for _, amount in re.findall(MORE, self.log.text)]

    def load_all(self, numbers: Iterable[int], **options: Any) -> list[str]:
        return [each for last in numbers for each in self.load(last, **options)]

    def kill(self, last: int, periods: int, **options: Any) -> int:
        """Kill a run after so many periods; return how many it had."""
        self._now(last)
        saved: list[bytes] = []
        options = {"start_date": day(0), **options}
        read = pipeline(self.account, state=self.state, today=day(last), saved=saved, **options)
        found = 0
        for found, _ in enumerate(read.rows(read.begin()[0]), 1):
            if found > periods:
                break
        self.state = msgspec.json.decode(saved[-1], type=tuple[Any, UsageState])[1]
        return found

    def answers_zeros(self, *numbers: int) -> None:
        """Let days answer zeros, though AllTime has their amounts."""
        self.days |= only(numbers, ZEROS)
        sums = {name: int(price) * len(numbers) for name, price in PRICES.items()}
        self.account.spent = {name: f"{price}" for name, price in sums.items()}

    def _now(self, last: int) -> None:
        self.log.clear()
        created = self.account.created or day(0)
        self.account.days = {
            each: prices for each, prices in self.days.items() if created <= each <= day(last)
        }


@pytest.fixture
def nights(caplog: pytest.LogCaptureFixture) -> Nights:
    return Nights(caplog)


@pytest.mark.parametrize(
    ("mode", "created", "lookback"),
    by_day(
        {("rolled_up", 0, 7), ("separate", -20, 7), ("excluded", None, 0), ("separate", 0, 0)},
        product(("rolled_up", "separate", "excluded"), [0, -20, None], [0, 7, 35]),
    ),
)
def test_a_day_that_answers_zeros_for_ever_is_said_once(
    caplog: pytest.LogCaptureFixture, mode: str, created: int | None, lookback: int
) -> None:
    of_account = {"created": None if created is None else day(created)}
    nights = Nights(caplog, includes_subaccounts=mode == "rolled_up", **of_account)
    options = {"separates_accounts": mode == "separate", "lookback_days": lookback}
    assert nights.load_all(range(10, 21), **options) == []
    nights.answers_zeros(21)
    assert nights.load_all(range(21, 24), **options) == []  # AllTime may be ahead of it
    assert nights.load_all(range(24, 40), **options) == FIVE
    nights.answers_zeros(21, 40)
    assert nights.load_all(range(40, 50), **options) == ["10"]
    nights.days |= only([21, 40])
    nights.account.spent = {}
    assert nights.load_all(range(50, 53), **{**options, "lookback_days": 35}) == []


@pytest.mark.parametrize("granularity", [MONTHLY, YEARLY])
@pytest.mark.parametrize("separates", [True, False])
def test_so_is_a_month_or_a_year(
    caplog: pytest.LogCaptureFixture, granularity: Granularity, *, separates: bool
) -> None:
    nights = Nights(caplog, created=day(-400))
    first = granularity.first
    starts = sorted({first(day(number)) for number in range(-800, 800)})
    nights.days = dict.fromkeys(starts, PRICES)
    options = {"granularity": granularity, "separates_accounts": separates, "lookback_days": 35}
    options["start_date"] = day(-40)
    assert nights.load_all(range(0, 240, 3), **options) == []
    nights.days[first(day(240))] = ZEROS
    nights.account.spent = PRICES
    found = nights.load_all(range(240, 280, 2), **options)
    assert found == ["5"]


@pytest.mark.parametrize("lookback", [0, 3, nightly(7), nightly(35)])
@pytest.mark.parametrize("separates", [True, False])
def test_so_it_is_from_every_state(
    caplog: pytest.LogCaptureFixture, lookback: int, *, separates: bool
) -> None:
    options = {"separates_accounts": separates, "lookback_days": lookback}
    for last in (21, 22, 24):
        for periods in range(1, 40):
            nights = Nights(caplog)
            assert nights.load_all((18, 19, 20), **options) == []
            nights.answers_zeros(21)
            before = nights.load_all(range(21, last), **options)
            found = nights.kill(last, periods, **options)
            assert before + nights.load_all(range(last, last + 5), **options) == FIVE
            if found <= periods:
                break


def test_so_it_is_from_every_state_of_the_first_load(nights: Nights) -> None:
    for created in (day(0), day(-20)):
        nights.account.created = created
        for periods in (1, 8, 9, 10, 11, 20, 21):
            nights.state = UsageState()
            nights.answers_zeros(9)
            nights.kill(20, periods)
            assert nights.load_all(range(20, 24), lookback_days=0) == FIVE


def test_so_it_is_with_an_end_date_in_between(nights: Nights) -> None:
    for lookback in (0, 7, 35):
        nights.state = UsageState()
        nights.days |= only([21])
        nights.account.spent = {}
        options = {"lookback_days": lookback}
        assert nights.load_all(range(10, 21), **options) == []
        nights.answers_zeros(21)
        found = nights.load(21, **options)
        for last in range(22, 30):
            found += nights.load(last, end_date=day(last - 8), **options)
            found += nights.load(last, **options)
        assert found == FIVE


def test_so_it_is_if_settings_change(nights: Nights) -> None:
    """The sum of the days before those that are read is then asked for."""
    nights.account.created = day(-20)
    changes: list[dict[str, Any]] = [
        *({"lookback_days": number} for number in (7, 35, 0, 14, 3, 35)),
        *({"start_date": day(number)} for number in (5, -5, 0)),
        *({"separates_accounts": each} for each in (True, False)),
    ]
    options: dict[str, Any] = {"lookback_days": 35}
    assert nights.load_all(range(10, 21), **options) == []
    nights.answers_zeros(21)
    found: list[str] = []
    for number, change in enumerate(changes, 21):
        options |= change
        found += nights.load(number, **options)
    assert found + nights.load_all(range(40, 45), **options) == FIVE


@pytest.mark.parametrize("start", [0, 5])
def test_so_it_is_in_the_first_load_and_in_days_that_an_earlier_start_date_adds(
    nights: Nights, start: int
) -> None:
    nights.account.created = day(-3)
    options = {"start_date": day(start)}
    nights.answers_zeros(start + 3)
    assert nights.load_all(range(30, 34), **options) == FIVE
    nights.answers_zeros(start + 3, -2)
    nights.days[day(start + 3)] = ZEROS
    found = nights.load_all(range(34, 40), start_date=day(-3))
    assert found == ["10"]


def test_a_full_refresh_says_it_once_too(nights: Nights) -> None:
    nights.answers_zeros(9)
    assert nights.load(20) == FIVE
    nights.state.partitions[0].bookmark = None
    assert nights.load_all(range(21, 30)) == []


@pytest.mark.parametrize(
    ("amounts", "level"),
    [("5665", "INFO"), ("5555", "WARNING"), (["400", "500", "600", "400"], "WARNING")],
)
def test_more_than_the_newest_days_have_or_always_the_same_is_a_warning(
    nights: Nights, amounts: Iterable[str], level: str
) -> None:
    """AllTime may be ahead of these days, though not by the same amount in every run."""
    assert nights.load_all(range(10, 21), lookback_days=7) == []
    nights.answers_zeros(21)
    for last, amount in enumerate(amounts, 21):
        nights.account.spent = {"totalprice": amount}
        nights.load(last, lookback_days=7)
    assert re.findall(MORE, nights.log.text) == [(level, min(amounts, key=int))]


def test_so_are_the_newest_days_that_end_date_leaves_out(nights: Nights) -> None:
    nights.account.spent = {"totalprice": "15"}
    assert nights.load(20, end_date=day(12)) == ["15"]
    assert re.findall(MORE, nights.log.text) == [("INFO", "15")]


def test_what_comes_late_is_not_said(nights: Nights) -> None:
    """AllTime has two dollars of today, and the whole of yesterday, before the days have it."""
    low = {"totalprice": "3", "sms": "3"}
    assert nights.load(9, lookback_days=7) == []
    for last in range(10, 40):
        nights.days |= {day(last): low, day(last - 1): PRICES}
        nights.account.spent = {"totalprice": "2"} if last % 3 else {}
        assert nights.load(last, lookback_days=7) == []


def test_what_differs_from_week_to_week_is_no_warning(nights: Nights) -> None:
    assert nights.load(9, lookback_days=7) == []
    for last, amount in zip(range(16, 70, 7), "23534142", strict=True):
        nights.account.spent = {"totalprice": amount}
        nights.load(last, lookback_days=7)
        assert "WARNING" not in nights.log.text


def test_what_is_spent_while_a_run_reads_is_not_said(nights: Nights) -> None:
    nights.account.spent = {"totalprice": "-2"}
    assert nights.load_all(range(10, 30)) == []


def test_a_restatement_before_the_first_day_is_not_said(nights: Nights) -> None:
    nights.account.created = day(-20)
    assert nights.load_all(range(10, 21)) == []
    nights.days[day(-9)] = {**PRICES, "totalprice": "50"}
    assert nights.load_all(range(21, 30)) == []


def test_a_day_that_is_restated_after_its_lookback_is_said(nights: Nights) -> None:
    assert nights.load_all(range(10, 21), lookback_days=3) == []
    nights.days[day(9)] = {**PRICES, "totalprice": "9"}
    assert nights.load_all(range(21, 30), lookback_days=3) == ["4"]


def test_an_answer_without_a_total_or_an_error_says_nothing_and_the_next_run_compares(
    nights: Nights, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    nights.account.created = day(-20)
    nights.answers_zeros(9)

    def fails(*_: object, **__: object) -> Totals:
        raise ApiError("no answer")

    with monkeypatch.context() as patch:
        patch.setattr(nights.account, "fetch_totals", fails)
        assert nights.load(20) == []
        assert "cannot be compared with Twilio's AllTime; a later run tries again" in caplog.text
        patch.setattr(nights.account, "fetch_all_time", list)
        assert nights.load(21) == []
        assert "a later run tries again: AllTime has no totalprice" in caplog.text
    assert nights.load(22) == FIVE


def test_it_is_said_that_the_days_add_up_again(
    nights: Nights, caplog: pytest.LogCaptureFixture
) -> None:
    nights.answers_zeros(9)
    assert nights.load(20, lookback_days=35) == FIVE
    nights.account.spent, nights.days[day(9)] = {}, PRICES
    for last in (21, 22):
        assert nights.load(last, lookback_days=35) == []
        assert ("its days add up to Twilio's AllTime again" in caplog.text) == (last == 21)


def test_the_days_of_an_unused_account_are_compared_once_it_is_used(nights: Nights) -> None:
    options = {"separates_accounts": True}
    nights.days = dict(only(range(99), ZEROS))
    assert nights.load_all(range(10, 21), **options) == []
    nights.account.spent = PRICES
    found = nights.load_all(range(21, 30), **options)
    assert found == ["5"]


def test_beside_a_missing_day_the_amount_of_both_is_said(
    nights: Nights, caplog: pytest.LogCaptureFixture
) -> None:
    nights.answers_zeros(9, 10)
    del nights.days[day(10)]
    assert nights.load(20) == ["10"]
    assert "Twilio has no record for 2026-01-11 (1 day)" in caplog.text
    nights.days |= only([10])
    nights.account.spent = PRICES
    assert nights.load_all(range(21, 30)) == []  # less than what was said
    assert nights.state.partitions[0].missing_days == []
    nights.answers_zeros(9, 29)
    assert nights.load_all(range(30, 36)) == ["10"]


def test_what_it_keeps_is_small(nights: Nights) -> None:
    nights.load_all(range(10, 40))
    (state,) = nights.state.partitions
    assert len(state.sums) <= 3
    assert state.history
    assert state.history.before == 0
