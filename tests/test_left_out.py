"""Every way of leaving something out that lasts: a warning says it, or a run fails.

What is left out, and how, goes through all modes, before and after the first load, with an
end_date, and with credentials that cannot read when the account was created. Twilio's AllTime has
all of it. A healthy account is never warned of. Accounts that are left out: `test_all_accounts.py`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import product
from typing import Any

import pytest

from tap_twilio_usage.money.usage_record import Periods, Totals, UsageRecord
from tap_twilio_usage.sync.state import UsageState
from tap_twilio_usage.twilio.errors import ApiError, NotFound
from tap_twilio_usage.twilio.periods import DAILY, DAY, MONTHLY, Granularity, Window
from tests.conftest import nightly
from tests.test_pipeline import FakeAccount, day, pipeline, record_of

NONE: Mapping[Any, Any] = {}
Prices = Mapping[str, str]
CREATED, START, LAST = day(-50), day(0), 84
MODES = ("rolled_up", "separate", "excluded")


def prices(number: int) -> dict[str, str]:
    """Return what a day really has; no two days in a row have the same."""
    sms, calls = 3 + number % 7, 2 + number % 3
    return {"totalprice": f"{sms + calls}", "sms": f"{sms}", "calls": f"{calls}"}


TRUTH = {day(number): prices(number) for number in range(-50, LAST + 1)}


@dataclass
class Account(FakeAccount):
    """An account whose AllTime is true, and whose periods of one granularity may lack something.

    `is_strict`: a range that begins before the creation answers 404, and so does one that ends
    after the last day; and a month that is not all in the range is cut, otherwise it is whole.
    """

    days: Mapping[date, Prices] = field(default_factory=dict)
    truth: Mapping[date, Prices] = field(default_factory=lambda: TRUTH)
    is_strict: bool = False
    granularity: Granularity = DAILY
    requests: int = 0
    loaded: dict[tuple[date, str], Decimal | None] = field(default_factory=dict)

    def load(self, rows: Iterable[UsageRecord]) -> None:
        """Put rows into the target."""
        self.loaded |= {(row.start_date, row.category): row.deduplicated_price for row in rows}

    def wrong(self) -> set[date]:
        """Return the days whose rows in the target do not add up to what was spent."""
        sums = {each: Decimal(0) for each in self.truth if START <= each <= self.today}
        for (each, _), price in self.loaded.items():
            sums[each] = sums.get(each, Decimal(0)) + (price or 0)
        return {
            each
            for each, price in sums.items()
            if price != Decimal(self.truth.get(each, ZEROS)["totalprice"])
        }

    def fetch_all_time(self) -> Any:
        true = {each: rows for each, rows in self.truth.items() if each <= self.today}
        return FakeAccount(true, today=self.today).fetch_all_time()

    def fetch_totals(
        self, granularity: Granularity, window: Window, *, at_once: bool = False
    ) -> Totals:
        self.requests += 1
        begins = min(self.truth)
        is_outside = window.end < begins or window.start > self.today
        if is_outside or (self.is_strict and window.start < begins):
            parts = [*window.split(1, granularity)]
            if at_once:
                raise NotFound("404")
            if len(parts) == 1:
                return {}
            answers = [self.fetch_totals(granularity, part) for part in parts]
            return {each: row for answer in answers for each, row in answer.items()}
        days = self.days if granularity is self.granularity else self.truth
        if granularity is MONTHLY and not self.is_strict:
            window = Window(MONTHLY.first(window.start), MONTHLY.following(window.end) - DAY)
        return {
            first: row
            for first, rows in self._periods(days, granularity, window).items()
            for row in rows
            if row.category == "totalprice"
        }

    def fetch_usage(self, granularity: Granularity, window: Window) -> Periods:
        days = self.days if granularity is self.granularity else self.truth
        return self._periods(days, granularity, window)

    def _periods(
        self, days: Mapping[date, Prices], granularity: Granularity, window: Window
    ) -> Periods:
        found: dict[date, dict[str, Decimal]] = {}
        for each, prices_of_day in days.items():
            if each in window and each <= self.today and prices_of_day:
                period = found.setdefault(granularity.first(each), {})
                for name, price in prices_of_day.items():
                    period[name] = period.get(name, Decimal(0)) + Decimal(price)
        return {
            first: [record_of(name, f"{price}", first) for name, price in sorted(period.items())]
            for first, period in found.items()
        }


class WithoutTotal(Account):
    """An account whose AllTime never has a total."""

    def fetch_all_time(self) -> Any:
        return [each for each in super().fetch_all_time() if each.category != "totalprice"]


class WithoutMonths(Account):
    """An account whose months can never be read."""

    def fetch_totals(
        self, granularity: Granularity, window: Window, *, at_once: bool = False
    ) -> Totals:
        if granularity is MONTHLY:
            raise ApiError("Twilio answered 500")
        return super().fetch_totals(granularity, window, at_once=at_once)


class WithoutTotalsOfDays(Account):
    """An account whose records are listed, though the totals of its days alone answer 404."""

    def fetch_totals(
        self, granularity: Granularity, window: Window, *, at_once: bool = False
    ) -> Totals:
        if at_once:
            raise NotFound("Twilio answered 404")
        return super().fetch_totals(granularity, window)


class WithoutToday(Account):
    """An account whose newest days answer 404, as long as none of them has any record."""

    def fetch_totals(
        self, granularity: Granularity, window: Window, *, at_once: bool = False
    ) -> Totals:
        if at_once and window.end == self.today and window.start > self.today - 3 * DAY:
            raise NotFound("Twilio answered 404")
        return super().fetch_totals(granularity, window)


class Restated(Account):
    """An account whose AllTime is that of its days, as they are now."""

    def fetch_all_time(self) -> Any:
        self.truth = {**self.truth, **self.days}
        return super().fetch_all_time()


# Ways of leaving something out: they change the days that the account answers.

ZEROS = dict.fromkeys(prices(0), "0")


def absent(numbers: Iterable[int]) -> dict[date, Prices]:
    """No row, or 404, which is the same by here."""
    return {day(number): {} for number in numbers}


def zeros(numbers: Iterable[int]) -> dict[date, Prices]:
    return {day(number): ZEROS for number in numbers}


def only_a_total_of_zero(numbers: Iterable[int]) -> dict[date, Prices]:
    return {day(number): {"totalprice": "0"} for number in numbers}


def half(numbers: Iterable[int]) -> dict[date, Prices]:
    """The rows of one of the categories only, and a total that agrees with them."""
    return {
        day(number): {"totalprice": prices(number)["sms"], "sms": prices(number)["sms"]}
        for number in numbers
    }


def no_category(numbers: Iterable[int]) -> dict[date, Prices]:
    return {
        day(number): {name: price for name, price in prices(number).items() if name != "calls"}
        for number in numbers
    }


def a_category_of_zero(numbers: Iterable[int]) -> dict[date, Prices]:
    """The total is right, but what the category has of it is in none."""
    return {day(number): {**prices(number), "calls": "0"} for number in numbers}


def renamed(numbers: Iterable[int]) -> dict[date, Prices]:
    return {
        day(number): {name.replace("calls", "calls-new"): p for name, p in prices(number).items()}
        for number in numbers
    }


WAYS = (
    absent,
    zeros,
    only_a_total_of_zero,
    half,
    no_category,
    a_category_of_zero,
    renamed,
)
WHICH = {  # the days that lack it, and the first night, before which they have it
    "one day of the first load": ([20], 40),
    "a month of the first load": (range(31, 59), 70),
    "the first days": ([0, 1], 40),
    "a later day": ([41], 40),
    "the newest days": ([68, 69, 70], 60),
    "the newest days of the first load": ([38, 39, 40], 40),
}


def nights(  # noqa: PLR0913
    caplog: pytest.LogCaptureFixture,
    account: Account,
    mode: str,
    first: int,
    days: Mapping[date, Prices],
    *,
    settings: Mapping[int, Mapping[str, Any]] = NONE,
    later: Mapping[int, Mapping[date, Prices]] = NONE,
    **options: Any,
) -> list[str]:
    """Load for some nights from the `first` on; return the warnings and errors.

    From some of the nights on, there are other `settings`, or some days answer something else.
    """
    caplog.set_level(logging.INFO)
    caplog.clear()
    account.includes_subaccounts = mode == "rolled_up"
    options = {
        "start_date": START,
        "lookback_days": 7,
        "separates_accounts": mode == "separate",
        **options,
    }
    state, errors = UsageState(), []
    for last in sorted({*range(first, first + 6), *settings, *later, LAST - 8, LAST - 4, LAST}):
        options |= settings.get(last, {})
        days = {**days, **later.get(last, {})}
        account.days = {each: rows for each, rows in days.items() if rows and each <= day(last)}
        behind = options.get("behind", 0)
        asked = {name: each for name, each in options.items() if name != "behind"}
        asked["granularity"] = account.granularity
        asked["end_date"] = day(last - behind) if behind else None
        run = pipeline(account, state=state, today=day(last), saved=[], **asked)
        try:
            for context in run.begin():
                for rows in run.rows(context):
                    account.load(rows)
            run.end()
        except ApiError as error:
            errors.append(f"{error}")
    said = [each.getMessage() for each in caplog.records if each.levelno > logging.INFO]
    return said + errors


CREATIONS = ("known", "before start", "unknown", "unknown, strict")


def account_of(creation: str) -> Account:
    """Return an account with that creation, and what the credentials know of it."""
    truth = TRUTH if creation != "known" else {e: r for e, r in TRUTH.items() if e >= START}
    created = None if creation.startswith("unknown") else min(truth)
    return Account(created=created, truth=truth, is_strict=creation.endswith("strict"))


SETTINGS: dict[str, dict[str, Any]] = {
    "up to today": {},
    "no lookback": {"lookback_days": 0},
    "end_date": {"behind": 5},
}
BY_DAY = {
    ("rolled_up", "up to today", "before start"),
    ("separate", "end_date", "known"),
    ("excluded", "no lookback", "unknown"),
    ("excluded", "end_date", "unknown, strict"),
}
CASES = [case if case in BY_DAY else nightly(*case) for case in product(MODES, SETTINGS, CREATIONS)]


@pytest.mark.parametrize(("mode", "setting", "creation"), CASES)
def test_what_is_left_out_for_ever_is_said(
    caplog: pytest.LogCaptureFixture, mode: str, setting: str, creation: str
) -> None:
    for way, (which, (numbers, first)) in product(WAYS, WHICH.items()):
        account = account_of(creation)
        lacking = {**account.truth, **way(numbers)}
        said = nights(caplog, account, mode, first, lacking, **SETTINGS[setting])
        assert said, f"{way.__name__}, {which}"


@pytest.mark.parametrize("mode", ["separate", *map(nightly, ("rolled_up", "excluded"))])
@pytest.mark.parametrize("listed", [False, True])
def test_a_category_that_no_day_lists_is_said_if_twilios_months_have_it(
    caplog: pytest.LogCaptureFixture, mode: str, *, listed: bool
) -> None:
    """AllTime alone does not say so: it may have been spent before the first day."""
    account = account_of("before start")
    if not listed:
        old = {each: rows for each, rows in account.truth.items() if each < START}
        account.truth = {**old, **no_category(range(LAST + 1))}
    days = {**account.truth, **no_category(range(LAST + 1))}
    said = nights(caplog, account, mode, 40, days)
    assert any("shows spend of 'calls', which no day lists" in line for line in said) == listed


def test_a_category_that_days_spell_in_another_way_is_listed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    account = account_of("known")
    days = {
        each: {name.replace("calls", "Calls"): price for name, price in rows.items()}
        for each, rows in account.truth.items()
    }
    assert nights(caplog, account, "separate", 40, days) == []


@pytest.mark.parametrize("amount", ["0.021", "0.002"])
@pytest.mark.parametrize("mode", ["separate", *map(nightly, ("rolled_up", "excluded"))])
def test_a_category_of_little_that_answers_zero_is_said(
    caplog: pytest.LogCaptureFixture, mode: str, amount: str
) -> None:
    """If AllTime has its whole total in categories. Otherwise any day may have a little in none."""
    account, mms = account_of("before start"), {"mms": amount}
    little = {
        each: {**rows, **mms, "totalprice": f"{Decimal(rows['totalprice']) + Decimal(amount)}"}
        for each, rows in account.truth.items()
    }
    account.truth = little
    days = {**little, day(20): {**little[day(20)], "mms": "0"}}
    (said,) = nights(caplog, account, mode, 40, days)
    part = "0.2%" if amount == "0.021" else "0.1%"
    assert said.startswith(f"AC1: on 2026-01-21, up to {part} of totalprice is in no category")
    assert nights(caplog, account, mode, 40, little) == []
    fees = {each: {**rows, "mms": f"{Decimal(amount) / 2}"} for each, rows in little.items()}
    account.truth = fees
    assert nights(caplog, account, mode, 40, fees) == []


def test_a_little_in_no_category_may_be_rounding_if_all_prices_are_whole_cents(
    caplog: pytest.LogCaptureFixture,
) -> None:
    account = account_of("before start")
    rounded = {"totalprice": "6.01", "sms": "4", "calls": "2"}
    less = {"totalprice": "5.99", "sms": "4", "calls": "2"}
    account.truth = {**account.truth, day(20): rounded, day(21): less}
    said = nights(caplog, account, "excluded", 40, account.truth)
    assert not any("is in no category" in line for line in said)


@pytest.mark.parametrize("first", [40, nightly(70)])
def test_a_category_of_zero_is_said_though_the_first_load_does_not_get_to_its_end(
    caplog: pytest.LogCaptureFixture, first: int
) -> None:
    """No later run reads the day again."""
    caplog.set_level(logging.INFO)
    account, state = account_of("known"), UsageState()
    account.days = {**account.truth, **a_category_of_zero([20])}
    asked: dict[str, Any] = {"start_date": START, "lookback_days": 7, "saved": []}
    run = pipeline(account, state=state, today=day(first), **asked)
    periods = run.rows(run.begin()[0])
    for _ in range(first - 5):
        next(periods)
    for last in (first + 1, first + 2):
        run = pipeline(account, state=state, today=day(last), **asked)
        for context in run.begin():
            list(run.rows(context))
        run.end()
    assert caplog.text.count("on 2026-01-21, up to 30.8% of totalprice is in no category") == 1


def a_fee_at_each_first(rows: Prices, each: date) -> Prices:
    return {**rows, "totalprice": f"{int(rows['totalprice']) + 5 * (each.day == 1)}"}


def a_part_of_each(rows: Prices, each: date) -> Prices:
    """Such as carrier fees that only the total has; and a fee that is most of AllTime."""
    total, fee = Decimal(rows["sms"]), 9000 * (each == day(5))
    return {
        "totalprice": f"{total * 2 + fee}",
        "sms": f"{total}",
        "a2p-registration-fees": f"{fee}",
    }


@pytest.mark.parametrize("mode", ["separate", *map(nightly, ("rolled_up", "excluded"))])
@pytest.mark.parametrize("creation", ["known", nightly("before start"), nightly("unknown")])
def test_a_charge_that_is_in_no_category_of_alltime_either_makes_no_warning(
    caplog: pytest.LogCaptureFixture, mode: str, creation: str
) -> None:
    for kind in (a_fee_at_each_first, a_part_of_each):
        account = account_of(creation)
        account.truth = {each: kind(rows, each) for each, rows in account.truth.items()}
        assert nights(caplog, account, mode, 40, account.truth) == [], kind
        assert "of totalprice is in no category" in caplog.text  # at INFO


@pytest.mark.parametrize(("mode", "setting", "creation"), CASES)
def test_a_healthy_account_is_never_warned_of(
    caplog: pytest.LogCaptureFixture, mode: str, setting: str, creation: str
) -> None:
    account = account_of(creation)
    assert nights(caplog, account, mode, 40, account.truth, **SETTINGS[setting]) == []


@pytest.mark.parametrize("setting", ["end_date", *map(nightly, ("up to today", "no lookback"))])
@pytest.mark.parametrize("creation", ["before start", *map(nightly, ("known", "unknown"))])
def test_so_is_a_month(caplog: pytest.LogCaptureFixture, setting: str, creation: str) -> None:
    for way in (absent, zeros, half, None):
        account = account_of(creation)
        account.granularity = MONTHLY
        lacking = {**account.truth, **(way(range(31, 59)) if way else {})}
        said = nights(caplog, account, "excluded", 70, lacking, **SETTINGS[setting])
        assert bool(said) == bool(way), f"{way}: {said}"


def moved(night: int) -> dict[str, dict[str, Any]]:
    """Return settings that move the days that are read from a night on."""
    return {
        "a longer lookback": {"lookback_days": 35},
        "no lookback": {"lookback_days": 0},
        "a later start_date": {"start_date": day(night - 10)},
        "the newest day only": {"start_date": day(night)},
        "an earlier start_date": {"start_date": day(-10)},
        "an end_date": {"behind": 3},
        "other accounts": {"separates_accounts": True},
    }


@pytest.mark.parametrize("night", [70, *map(nightly, (69, 71, 72))])
@pytest.mark.parametrize(
    "creation", ["before start", *map(nightly, ("unknown", "unknown, strict"))]
)
def test_so_it_is_though_a_setting_moves_the_days_that_are_read(
    caplog: pytest.LogCaptureFixture, creation: str, night: int
) -> None:
    for way, (setting, change) in product((zeros, half), moved(night).items()):
        account = account_of(creation)
        lacking = {**account.truth, **way([68, 69, 70])}
        said = nights(caplog, account, "excluded", 67, lacking, settings={night: change})
        assert said, f"{way.__name__}, {setting}"


@pytest.mark.parametrize(
    ("night", "creation"),
    [(70, "before start"), (52, "unknown, strict"), nightly(71, "known"), nightly(53, "unknown")],
)
def test_a_setting_that_moves_them_makes_no_warning(
    caplog: pytest.LogCaptureFixture, creation: str, night: int
) -> None:
    for setting, change in moved(night).items():
        account = account_of(creation)
        said = nights(
            caplog, account, "excluded", night - 3, account.truth, settings={night: change}
        )
        assert said == [], setting


@pytest.mark.parametrize("lookback", [0, *map(nightly, (1, 7))])
@pytest.mark.parametrize("back", [74, *map(nightly, (73, 76))])
def test_a_day_that_a_start_date_left_out_for_a_while_counts_once(
    caplog: pytest.LogCaptureFixture, lookback: int, back: int
) -> None:
    """It was loaded before. Otherwise its amount would hide another day that lacks the same."""
    every_night: dict[int, Mapping[str, Any]] = dict.fromkeys(range(60, LAST), NONE)
    changes = {71: {"start_date": day(71)}, back: {"start_date": START}}
    asked: dict[str, Any] = {"settings": {**every_night, **changes}, "lookback_days": lookback}
    account = account_of("known")
    assert nights(caplog, account, "excluded", 60, account.truth, **asked) == []


def test_days_that_a_setting_leaves_out_count_as_they_were_loaded(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Twilio's months have what these days lack."""
    account, change = account_of("before start"), {75: {"start_date": day(75)}}
    lacking = {**account.truth, **zeros([66, 67])}
    said = nights(caplog, account, "excluded", 62, lacking, settings=change)
    assert "AC1: Twilio's AllTime has 18 more than all days before and since 2026-03-17" in said[1]


def test_a_day_after_end_date_that_is_missing_hinders_the_comparison(
    caplog: pytest.LogCaptureFixture,
) -> None:
    account = account_of("before start")
    lacking = {**account.truth, **absent([60])}
    (said,) = nights(caplog, account, "excluded", 70, lacking, behind=40)
    assert "cannot be compared with Twilio's AllTime; a later run tries again" in said
    assert "Twilio does not list all days after end_date" in said
    assert said in caplog.text.partition("WARNING")[0]  # at first, it may come later


NEVER_COMPARED = {
    WithoutTotal: "AllTime has no totalprice",
    WithoutMonths: "Twilio answered 500",
    WithoutTotalsOfDays: "Twilio answered 404",
}


@pytest.mark.parametrize("kind", NEVER_COMPARED)
@pytest.mark.parametrize("mode", ["separate", *map(nightly, ("rolled_up", "excluded"))])
def test_an_account_that_can_never_be_compared_is_warned_of_once_a_week(
    caplog: pytest.LogCaptureFixture, mode: str, kind: type[Account]
) -> None:
    account, why = kind(created=min(TRUTH)), NEVER_COMPARED[kind]
    begins_anew = {41: {"lookback_days": 10}}
    said = nights(caplog, account, mode, 40, {**TRUTH, **zeros([20])}, settings=begins_anew)
    warning = "its days cannot be compared with Twilio's AllTime; a later run tries again"
    assert said == [f"AC1: {warning}: {why}"] * 2


def test_the_days_of_an_unused_account_are_not_asked_for_twice(
    caplog: pytest.LogCaptureFixture,
) -> None:
    unused = dict.fromkeys(map(day, range(10, LAST + 1)), ZEROS)
    account = Account(truth=unused, is_strict=True)
    nights(caplog, account, "separate", 40, unused)
    assert account.requests < 10


@pytest.mark.parametrize("comes", [72, *map(nightly, (70, 71, 74))])
@pytest.mark.parametrize("night", [71, *map(nightly, (None, 70, 73))])
@pytest.mark.parametrize("lookback", [1, nightly(0), nightly(7)])
def test_what_comes_later_is_loaded_or_said(
    caplog: pytest.LogCaptureFixture, lookback: int, night: int | None, comes: int
) -> None:
    for way, (setting, change) in product((absent, zeros, half), moved(night or 67).items()):
        account = account_of("before start")
        said = nights(
            caplog,
            account,
            "excluded",
            67,
            {**account.truth, **way([68, 69, 70])},
            settings={night: change} if night else NONE,
            later={comes: account.truth},
            lookback_days=lookback,
        )
        wrong = sorted(each for each in account.wrong() if each <= day(80))
        assert said or not wrong, f"{way.__name__}, {setting}: {wrong}"


@pytest.mark.parametrize("creation", ["known", nightly("unknown")])
@pytest.mark.parametrize("mode", ["separate", *map(nightly, ("rolled_up", "excluded"))])
@pytest.mark.parametrize("late", [None, 20])
def test_a_day_that_was_lowered_after_its_lookback_hides_no_other(
    caplog: pytest.LogCaptureFixture, mode: str, creation: str, late: int | None
) -> None:
    """The sums are equal. Once a month, the older days are asked for: they have less since.

    A missing day may answer in the run that asks for them.
    """
    less, hole = {day(43): {"totalprice": "1", "sms": "1"}}, zeros([57])
    assert int(prices(43)["totalprice"]) - 1 == int(prices(57)["totalprice"]) == 6
    account = account_of(creation)
    true = account.truth
    account.truth = {**true, **less}
    days = {**true, **hole, **absent([late] if late else [])}
    later: dict[int, Mapping[date, Prices]] = {
        55: less,
        76: {day(late): true[day(late)]} if late else {},
    }
    said = nights(caplog, account, mode, 50, days, later=later)
    # AllTime has the lowered day from the first night on.
    others = "no record for 2026-01-21", "AllTime has 6 less than all days"
    said = [line for line in said if not any(other in line for other in others)]
    assert "together have 6 less than when they were last read; load them again" in said[0]
    assert "Twilio's AllTime has 6 more than all days" in said[1]
    assert len(said) == 2


def test_older_days_that_twilio_no_longer_lists_are_no_lowered_ones(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Such as those of an account that was closed."""
    account = account_of("known")
    gone = absent(range(40))
    assert nights(caplog, account, "separate", 50, account.truth, later={55: gone}) == []
    said = "Twilio has no total for 2026-01-01, which was loaded"
    assert caplog.text.count(said) == account.requests == 1  # a month, not a night


@pytest.mark.parametrize("behind", [1, nightly(3)])
@pytest.mark.parametrize("mode", ["excluded", *map(nightly, ("separate", "rolled_up"))])
def test_a_day_after_end_date_that_has_just_begun_does_not_hinder_the_comparison(
    caplog: pytest.LogCaptureFixture, mode: str, behind: int
) -> None:
    """If AllTime has its first spend already."""
    account = WithoutToday(created=min(TRUTH))
    assert nights(caplog, account, mode, 40, TRUTH, behind=behind) == []
    assert "cannot be compared" not in caplog.text


EARLY: dict[str, Any] = {"start_date": day(-10)}


@pytest.mark.parametrize("mode", ["excluded", *map(nightly, ("separate", "rolled_up"))])
def test_an_earlier_start_date_than_the_creation_lowers_no_day(
    caplog: pytest.LogCaptureFixture, mode: str
) -> None:
    account, change = account_of("known"), {45: {"start_date": day(-20)}}
    assert nights(caplog, account, mode, 40, account.truth, settings=change, **EARLY) == []


@pytest.mark.parametrize("mode", ["excluded", *map(nightly, ("separate", "rolled_up"))])
def test_days_before_a_history_that_began_anew_are_still_compared(
    caplog: pytest.LogCaptureFixture, mode: str
) -> None:
    """As after a change of settings, and with the STATE of an older version."""
    for price, what in (
        ("100", "Twilio's AllTime has 93 more than all days"),
        ("1", "together have 6 less than when they were last read"),
    ):
        account, restated = account_of("before start"), {"totalprice": price, "sms": price}
        said = nights(
            caplog,
            Restated(created=account.created, truth=account.truth),
            mode,
            50,
            account.truth,
            settings={52: {"lookback_days": 10}},
            later={54: {day(30): restated}},
        )
        assert len(said) == 1
        assert what in said[0]


def test_a_missing_day_before_a_history_that_began_anew_counts_once_it_answers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    account, changed = account_of("before start"), {52: {"lookback_days": 10}}
    later, days = {54: {day(20): prices(20)}}, {**account.truth, **absent([20])}
    said = nights(caplog, account, "excluded", 50, days, settings=changed, later=later)
    assert ["no record for 2026-01-21" in line for line in said] == [True]


@pytest.mark.parametrize("late", [2, nightly(1)])
@pytest.mark.parametrize("setting", ["up to today", *map(nightly, ("end_date",))])
def test_days_that_are_late_make_no_warning(
    caplog: pytest.LogCaptureFixture, setting: str, late: int
) -> None:
    """Also if nothing is spent at weekends."""
    account = account_of("before start")
    account.truth = {
        each: rows if each.weekday() < 5 else ZEROS for each, rows in account.truth.items()
    }
    newest = {last: zeros(range(last - late + 1, last + 1)) for last in range(40, LAST + 1)}
    later = {last: {**account.truth, **rows} for last, rows in newest.items()}
    assert nights(caplog, account, "excluded", 40, {}, later=later, **SETTINGS[setting]) == []


@pytest.mark.parametrize("creation", ["known", *map(nightly, ("before start", "unknown"))])
@pytest.mark.parametrize("mode", ["rolled_up", *map(nightly, ("separate", "excluded"))])
def test_a_refund_that_is_left_out_is_said_once(
    caplog: pytest.LogCaptureFixture, mode: str, creation: str
) -> None:
    """At INFO if days before the first one were compared by their months only."""
    account, refund = account_of(creation), {"totalprice": "-50", "sms": "-50", "calls": "0"}
    account.truth = {**account.truth, day(69): refund}
    every_night = dict.fromkeys(range(66, LAST), NONE)
    days = {**account.truth, **zeros([69])}
    said = nights(caplog, account, mode, 66, days, settings=every_night)
    text = "AC1: Twilio's AllTime has 50 less than all days"
    assert caplog.text.count(text) == 1
    assert [line.startswith(text) for line in said] == [True] * (creation == "known")
    assert nights(caplog, account, mode, 66, account.truth, settings=every_night) == []
