"""The pipeline with accounts that are plain objects, without the SDK and without HTTP."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tap_twilio_usage.logs.anomalies import Findings
from tap_twilio_usage.logs.progress import Progress
from tap_twilio_usage.money.usage_record import Periods, Totals
from tap_twilio_usage.sync.pipeline import Pipeline
from tap_twilio_usage.sync.run import Company
from tap_twilio_usage.sync.state import AccountContext, BilledDays, UsageState
from tap_twilio_usage.twilio.errors import ApiError
from tap_twilio_usage.twilio.periods import (
    ALL_TIME,
    DAILY,
    EARLIEST,
    GRANULARITIES,
    LATEST,
    MONTHLY,
    Granularity,
    Window,
)
from tap_twilio_usage.twilio.usage_records import Reported
from tests.options import run_of
from tests.test_focus import usage_record

LOGGER = logging.getLogger("pipeline")
FIRST = date(2026, 1, 1)
PRICES = {"totalprice": "5", "sms": "5", "sms-outbound": "3", "calls": "0"}


@dataclass
class FakeAccount:
    """An account whose days are in a dictionary."""

    days: Mapping[date, Mapping[str, str]]
    sid: str = "AC1"
    includes_subaccounts: bool = True
    findings: Findings = field(default_factory=Findings)
    asked: list[Window] = field(default_factory=list)
    fails_on: date | None = None
    created: date | None = None
    spent: Mapping[str, str] = field(default_factory=dict)  # by AllTime, beside the days
    today: date = LATEST

    def fetch_all_time(self) -> list[Reported]:
        prices: dict[str, Decimal] = {}
        past = [rows for day, rows in self.days.items() if day <= self.today]
        for rows in (*past, self.spent):
            for category, price in rows.items():
                prices[category] = prices.get(category, Decimal(0)) + Decimal(price)
        return [
            Reported(category, None, None, None, "usd", (price, price, price) if price else None)
            for category, price in prices.items()
        ]

    def fetch_date_created(self) -> date | None:
        return self.created

    def fetch_owner(self) -> str | None:
        return None

    def fetch_usage(self, granularity: Granularity, window: Window) -> Periods:
        self.asked.append(window)
        if self.fails_on in window:
            raise ApiError("no answer")
        return {
            day: [record_of(category, price, day) for category, price in sorted(rows.items())]
            for day, rows in self.days.items()
            if day in window
        }

    def fetch_totals(
        self, granularity: Granularity, window: Window, *, at_once: bool = False
    ) -> Totals:
        return {
            day: record_of("totalprice", rows["totalprice"], day)
            for day, rows in self.days.items()
            if day in window and "totalprice" in rows
        }

    def fetch_current_usage(self, granularity: Granularity) -> Periods:
        return {}


def record_of(category: str, price: str, day: date) -> Any:
    record = usage_record(category, price)
    return msgspec.structs.replace(
        record, count=record.price, usage=record.price, start_date=day, end_date=day
    )


def days(number: int) -> dict[date, dict[str, str]]:
    return {FIRST + timedelta(days=n): PRICES for n in range(number)}


def pipeline(
    *accounts: FakeAccount,
    state: UsageState,
    today: date,
    saved: list[bytes],
    granularity: Granularity = DAILY,
    **options: Any,
) -> Pipeline:
    for account in accounts:
        account.today = today
    company = Company(
        accounts[0],
        {account.sid: account for account in accounts},
        options.get("separates_accounts", False),
        options.pop("listed", accounts),
        options.pop("together", None),
        without_subaccounts=options.pop("without_subaccounts", None),
        fetch_subaccounts=options.pop("fetch_subaccounts", None),
    )
    run = run_of(
        [company],
        state,
        granularity=granularity,
        today=today,
        logger=LOGGER,
        write_state=lambda: saved.append(msgspec.json.encode(("in any case", state))),
        save=lambda rows: saved.append(msgspec.json.encode((rows, state))),
        **{"lookback_days": 1, **options},
    )
    return Pipeline(run, Progress(LOGGER))


def load(
    account: FakeAccount, state: UsageState, today: date, **options: Any
) -> list[list[tuple[str, date, Decimal | None]]]:
    read = pipeline(account, state=state, today=today, saved=[], **options)
    return [
        [(row.category, row.start_date, row.deduplicated_price) for row in rows]
        for context in read.begin()
        for rows in read.rows(context)
    ]


def test_the_rows_of_each_day_sum_to_its_total() -> None:
    periods = load(FakeAccount(days(3)), UsageState(), FIRST + timedelta(days=2))
    assert [rows[0][1] for rows in periods] == [FIRST + timedelta(days=n) for n in range(3)]
    assert [sum(share or 0 for *_, share in rows) for rows in periods] == [5, 5, 5]


def test_zero_rows_of_categories_that_were_never_used_are_dropped() -> None:
    (rows,) = load(FakeAccount(days(1)), UsageState(), FIRST)
    assert {category for category, *_ in rows} == {"totalprice", "sms", "sms-outbound"}
    (rows,) = load(FakeAccount(days(1)), UsageState(), FIRST, skip_unused_categories=False)
    assert {category for category, *_ in rows} == PRICES.keys()


def test_the_bookmark_moves_after_the_rows_of_a_day_were_emitted() -> None:
    state, saved = UsageState(), list[bytes]()
    read = pipeline(FakeAccount(days(2)), state=state, today=FIRST + timedelta(days=1), saved=saved)
    (context,) = read.begin()
    periods = read.rows(context)
    next(periods)
    assert state.partitions[0].bookmark is None
    next(periods)
    assert state.partitions[0].bookmark == FIRST
    assert list(periods) == []
    assert state.partitions[0].bookmark == FIRST + timedelta(days=1)


def test_the_state_has_a_day_and_its_categories_before_its_rows_are_emitted() -> None:
    saved: list[bytes] = []
    read = pipeline(FakeAccount(days(1)), state=UsageState(), today=FIRST, saved=saved)
    next(read.rows(read.begin()[0]))
    (_, begun), (_, first), (_, categories) = map(msgspec.json.decode, saved)
    assert begun == {"reading_up_to": "2026-01-01"}
    assert first["partitions"][0]["first_day"] == "2026-01-01"
    assert categories["partitions"][0]["used_categories"] == ["sms", "sms-outbound", "totalprice"]


def test_the_next_run_reads_from_the_bookmark_less_the_lookback() -> None:
    state = UsageState()
    load(FakeAccount(days(5)), state, FIRST + timedelta(days=4))
    account = FakeAccount(days(6))
    periods = load(account, state, FIRST + timedelta(days=5))
    assert [rows[0][1].day for rows in periods] == [4, 5, 6]


def test_a_failure_leaves_the_bookmark_at_the_last_complete_day() -> None:
    state = UsageState()
    account = FakeAccount(days(40), fails_on=FIRST + timedelta(days=30))
    options = {"page_size": 4}  # a window for each day
    with pytest.raises(ApiError, match="no answer"):
        load(account, state, FIRST + timedelta(days=39), **options)
    assert state.partitions[0].bookmark == FIRST + timedelta(days=29)
    account.fails_on = None
    periods = load(account, state, FIRST + timedelta(days=39), lookback_days=0, **options)
    assert len(periods) == 11


def test_unchanged_days_are_not_read_again_with_separate_accounts() -> None:
    state, today = UsageState(), FIRST + timedelta(days=9)
    options = {"separates_accounts": True, "lookback_days": 35}
    load(FakeAccount(days(9)), state, today - timedelta(days=1), **options)
    periods = load(FakeAccount(days(10)), state, today, **options)
    assert [rows[0][1].day for rows in periods] == [9, 10]
    restated = {**days(11), FIRST: {**PRICES, "totalprice": "6"}}
    periods = load(FakeAccount(restated), state, today + timedelta(days=1), **options)
    assert [rows[0][1].day for rows in periods] == list(range(1, 12))


def test_rows_have_the_account_and_mode_of_their_context() -> None:
    main = FakeAccount(days(1))
    read = pipeline(main, state=UsageState(), today=FIRST, saved=[])
    (context,) = read.begin()
    assert context == AccountContext("AC1", includes_subaccounts=True)
    (rows,) = read.rows(context)
    assert {(row.account_sid, row.includes_subaccounts) for row in rows} == {("AC1", True)}


def test_a_change_to_rolled_up_reads_the_days_before_the_main_account_was_created() -> None:
    main = FakeAccount(only(range(20, 30)), created=day(20), includes_subaccounts=False)
    sub = FakeAccount(only(range(30)), sid="AC2", created=day(0), includes_subaccounts=False)
    state = UsageState()
    read = pipeline(main, sub, state=state, today=day(29), saved=[], separates_accounts=True)
    assert all(list(read.rows(context)) for context in read.begin())
    whole = FakeAccount(only(range(30)), created=day(20))
    periods = load(whole, state, day(29), start_date=day(10))
    assert {row[1] for rows in periods for row in rows if row[2]} == set(only(range(30)))


def _contexts(read: Pipeline) -> Iterable[tuple[str, bool]]:
    return [(each.account_sid, each.includes_subaccounts) for each in read.begin()]


def test_after_a_change_to_rolled_up_rows_of_subaccounts_are_set_to_zero_first() -> None:
    main = FakeAccount(days(2), includes_subaccounts=False)
    sub = FakeAccount(days(2), sid="AC2", includes_subaccounts=False)
    state, today = UsageState(), FIRST + timedelta(days=1)
    read = pipeline(main, sub, state=state, today=today, saved=[], separates_accounts=True)
    for context in read.begin():
        assert len(list(read.rows(context))) == 2
    read = pipeline(FakeAccount(days(2)), state=state, today=today, saved=[])
    withdrawn, rolled_up = read.begin()
    assert (withdrawn.account_sid, rolled_up.account_sid) == ("AC2", "AC1")
    zeros = list(read.rows(withdrawn))
    assert {row.price for rows in zeros for row in rows} == {Decimal(0)}
    assert {row.start_date for rows in zeros for row in rows} == set(days(2))
    assert len(list(read.rows(rolled_up))) == 2
    assert _contexts(read) == [("AC1", True)]


@pytest.mark.parametrize(
    ("subaccounts", "kind"), [(1, None), (60, "in any case")], ids=["few accounts", "many"]
)
@pytest.mark.parametrize("separate_first", [True, False])
def test_after_a_change_the_state_says_so_before_the_first_row(
    subaccounts: int, kind: str | None, *, separate_first: bool
) -> None:
    """If the run is killed after its first rows, and the change undone, all is read again."""
    today, state, saved = FIRST + timedelta(days=1), UsageState(), list[bytes]()
    rolled_up = [FakeAccount(days(2))]
    separate = [
        FakeAccount(days(2), sid=f"AC{number + 1}", includes_subaccounts=False)
        for number in range(subaccounts + 1)
    ]
    runs = [(separate, True), (rolled_up, False)]
    (first, separates), (second, then_separates) = runs if separate_first else reversed(runs)
    read = pipeline(*first, state=state, today=today, saved=[], separates_accounts=separates)
    for context in read.begin():
        list(read.rows(context))
    read = pipeline(
        *second, state=state, today=today, saved=saved, separates_accounts=then_separates
    )
    for context in read.begin():
        next(read.rows(context))
        written = [found for why, found in map(msgspec.json.decode, saved) if why == kind][-1]
        of_account = [
            each
            for each in written["partitions"]
            if each["context"]["account_sid"] == context.account_sid
        ]
        (found,) = of_account
        assert found["context"]["includes_subaccounts"] == context.includes_subaccounts
        assert "replication_key_value" not in found


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def only(numbers: Iterable[int], prices: Mapping[str, str] = PRICES) -> dict[date, Any]:
    return {day(number): prices for number in numbers}


def test_a_day_without_records_is_said_and_asked_for_until_it_answers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    state = UsageState()
    assert len(load(FakeAccount(only([0, 1, 4])), state, day(4))) == 5
    assert "AC1: Twilio has no record for 2026-01-03..2026-01-04 (2 days), though" in caplog.text
    assert state.partitions[0].missing_days == [Window(day(2), day(3))]
    assert state.partitions[0].bookmark == day(4)
    caplog.clear()
    load(FakeAccount(only([0, 1, 4, 5, 6, 7])), state, day(7))
    assert "has no record" not in caplog.text  # said once
    account = FakeAccount(only(range(20)))
    periods = load(account, state, day(19))
    assert [rows[0][1] for rows in periods[:2]] == [day(2), day(3)]
    assert state.partitions[0].missing_days == []
    assert load(FakeAccount(only(range(21))), state, day(20))[0][0][1] == day(18)


def test_missing_days_are_asked_for_where_unchanged_days_are_not() -> None:
    options = {"separates_accounts": True, "lookback_days": 35}
    state = UsageState()
    load(FakeAccount(only([0, 2, 3])), state, day(3), **options)
    periods = load(FakeAccount(only([0, 1, 2, 3, 4])), state, day(4), **options)
    assert day(1) in {rows[0][1] for rows in periods if rows}
    assert state.partitions[0].missing_days == []


def test_the_day_that_is_not_over_is_never_missing() -> None:
    state = UsageState()
    load(FakeAccount(only([0, 1])), state, day(2))
    assert state.partitions[0].missing_days == []
    load(FakeAccount(only([0, 1])), state, day(3))
    assert state.partitions[0].missing_days == [Window(day(2), day(2))]


def test_days_before_the_first_records_are_missing_only_if_the_account_existed() -> None:
    state = UsageState()
    load(FakeAccount(only([3, 4])), state, day(4))
    assert state.partitions[0].missing_days == []
    state = UsageState()
    load(FakeAccount(only([3, 4]), created=day(0)), state, day(4))
    assert state.partitions[0].missing_days == [Window(day(1), day(2))]


def test_days_before_the_first_records_that_an_earlier_start_date_adds_are_not_missing() -> None:
    state, account = UsageState(), FakeAccount(only(range(5, 30)))
    load(account, state, day(25), start_date=day(10))
    load(account, state, day(26), start_date=day(0))
    assert state.partitions[0].first_rows == day(5)
    assert state.partitions[0].missing_days == []


def test_a_month_that_is_not_over_is_never_missing_though_end_date_cuts_it_off() -> None:
    account, state = FakeAccount(only([0])), UsageState()
    options = {"granularity": MONTHLY, "end_date": day(40)}
    load(account, state, day(50), **options)
    assert state.partitions[0].missing_days == []
    load(account, state, day(60), **options)
    assert state.partitions[0].missing_days == [Window(day(31), day(58))]


def test_a_first_load_without_any_record_fails_if_the_account_has_spend() -> None:
    state = UsageState()
    nothing = FakeAccount({}, spent={"totalprice": "100", "sms": "100"}, created=day(-9))
    with pytest.raises(ApiError, match="AllTime shows spend, but there is no record for any day"):
        load(nothing, state, day(4))
    assert state.partitions[0].bookmark is None
    assert len(load(FakeAccount(only(range(5))), state, day(4))) == 5


def test_so_does_one_of_an_account_whose_day_of_creation_is_unknown() -> None:
    nothing = FakeAccount({}, spent={"totalprice": "100", "sms": "100"})
    with pytest.raises(ApiError, match="AllTime shows spend"):
        load(nothing, UsageState(), day(4))
    assert load(nothing, UsageState(), day(4), start_date=day(4)) == [[]]  # today is not over


def test_so_does_one_after_a_run_that_was_killed_before_its_first_bookmark() -> None:
    saved = list[bytes]()
    read = pipeline(FakeAccount(only(range(5))), state=UsageState(), today=day(4), saved=saved)
    next(read.rows(read.begin()[0]))
    _, state = msgspec.json.decode(saved[-1], type=tuple[Any, UsageState])
    assert state.partitions[0].used_categories
    with pytest.raises(ApiError, match="AllTime shows spend"):
        load(FakeAccount({}, spent={"sms": "100"}), state, day(4))
    assert state.partitions[0].bookmark is None


def test_a_load_without_any_record_is_said_and_asked_for_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    state = UsageState()
    assert load(FakeAccount({}), state, day(4)) == [[]] * 5
    assert "AC1: Twilio has no record for any day of 2026-01-01..2026-01-05" in caplog.text
    assert state.partitions[0].bookmark is None
    with pytest.raises(ApiError, match="AllTime shows spend"):
        load(FakeAccount({}, spent={"sms": "100"}), state, day(5))
    assert len(load(FakeAccount(only(range(6))), state, day(5))) == 6
    assert state.partitions[0].bookmark == day(5)


def test_an_account_is_not_unused_because_its_months_do_not_answer() -> None:
    class Stale(FakeAccount):
        def fetch_all_time(self) -> list[Reported]:
            return [Reported(name, None, None, None, "usd", None) for name in PRICES]

        def fetch_usage(self, granularity: Granularity, window: Window) -> Periods:
            return {} if granularity is MONTHLY else super().fetch_usage(granularity, window)

    account = Stale(only(range(3)), includes_subaccounts=False)
    assert len(load(account, UsageState(), day(2), separates_accounts=True)) == 3


def test_days_of_older_subaccounts_are_missing_if_only_the_months_have_them() -> None:
    class Younger(FakeAccount):
        def fetch_usage(self, granularity: Granularity, window: Window) -> Periods:
            found = super().fetch_usage(granularity, window)
            if granularity is not DAILY:
                return found
            return {day: rows for day, rows in found.items() if day not in self.unanswered}

        unanswered: tuple[date, ...] = ()

    account = Younger(only(range(5, 30)), created=day(20))
    account.unanswered = tuple(day(number) for number in range(20))
    state = UsageState()
    load(account, state, day(29), start_date=day(0))
    assert state.partitions[0].missing_days == [Window(day(5), day(19))]
    account.unanswered = ()
    assert load(account, state, day(29))[0][0][1] == day(5)
    assert state.partitions[0].missing_days == []


def test_so_are_all_days_up_to_the_firstrecord_of() -> None:
    """January has usage by its month, but neither January nor February by their days."""

    class Younger(FakeAccount):
        def fetch_usage(self, granularity: Granularity, window: Window) -> Periods:
            found = super().fetch_usage(granularity, window)
            if granularity is not DAILY:
                return found
            return {each: rows for each, rows in found.items() if each >= day(75)}

    state = UsageState()
    load(Younger(only(range(5, 100)), created=day(90)), state, day(99), start_date=day(0))
    assert state.partitions[0].missing_days == [Window(day(5), day(74))]


def test_years_with_usage_before_creation_count_if_the_months_do_not_answer() -> None:
    class WithoutMonths(FakeAccount):
        def fetch_usage(self, granularity: Granularity, window: Window) -> Periods:
            return {} if granularity is MONTHLY else super().fetch_usage(granularity, window)

    account = WithoutMonths(only(range(30)), created=day(20))
    periods = load(account, UsageState(), day(29), start_date=day(0))
    assert len([rows for rows in periods if rows]) == 30


def test_a_load_of_the_whole_life_without_any_spend_fails_if_alltime_has_some() -> None:
    zeros = dict.fromkeys(PRICES, "0")
    state = UsageState()
    account = FakeAccount(only(range(5), zeros), spent={"sms": "100"}, created=day(0))
    with pytest.raises(ApiError, match="there is no spend in any day of"):
        load(account, state, day(4))
    assert state.partitions[0].bookmark is None
    load(FakeAccount(only(range(5), zeros), spent={"sms": "100"}, created=day(-9)), state, day(4))
    assert state.partitions[0].bookmark == day(4)  # the spend may be from before


def test_days_before_the_first_record_are_said_if_the_creation_is_unknown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    state = UsageState()
    load(FakeAccount(only(range(5, 10))), state, day(9))
    assert "AC1: Twilio has no record for 2026-01-01..2026-01-05; whether the" in caplog.text
    caplog.clear()
    load(FakeAccount(only(range(5, 11))), state, day(10))
    assert "no record" not in caplog.text


def test_a_change_of_subaccounts_keeps_what_is_known_of_missing_days() -> None:
    state = UsageState()
    load(FakeAccount(only([0, 1, *range(4, 10)])), state, day(9))
    load(FakeAccount(only(range(5, 10)), includes_subaccounts=False), state, day(9))
    assert state.partitions[0].missing_days == [Window(day(0), day(4))]


def test_the_days_of_older_subaccounts_are_not_missing_once_these_are_excluded() -> None:
    state = UsageState()
    load(FakeAccount(only(range(10)), created=day(5)), state, day(9))
    own = FakeAccount(only(range(6, 10)), created=day(5), includes_subaccounts=False)
    load(own, state, day(9))
    assert state.partitions[0].missing_days == []


def test_missing_days_outlast_a_run_that_ends_before_them() -> None:
    state = UsageState()
    account = FakeAccount(only([0, 1, *range(4, 11)]))
    load(account, state, day(10))
    load(account, state, day(10), end_date=day(1))
    assert state.partitions[0].missing_days == [Window(day(2), day(3))]


def test_a_category_that_is_renamed_after_a_killed_run_becomes_zero() -> None:
    state, saved = UsageState(), list[bytes]()
    load(FakeAccount(only([0])), state, day(0))
    read = pipeline(FakeAccount(only(range(5))), state=state, today=day(4), saved=saved)
    periods = read.rows(read.begin()[0])
    table = {}
    for rows in (next(periods), next(periods)):
        table.update({(row.start_date, row.category): row.deduplicated_price for row in rows})
    _, state = msgspec.json.decode(saved[-1], type=tuple[Any, UsageState])
    assert state.partitions[0].bookmark == day(0)
    renamed = {**PRICES, "sms-renamed": PRICES["sms"]}
    del renamed["sms"]
    for period in load(FakeAccount(only(range(5), renamed)), state, day(4)):
        table.update({(day, category): share for category, day, share in period})
    for number in range(5):
        assert sum(share or 0 for (day_, _), share in table.items() if day_ == day(number)) == 5


def test_the_mark_of_a_run_goes_when_it_ends() -> None:
    state, saved = UsageState(), list[bytes]()
    read = pipeline(FakeAccount(days(2)), state=state, today=day(1), saved=saved)
    for context in read.begin():
        list(read.rows(context))
    assert state.reading_up_to == day(1)
    read.end()
    assert "reading_up_to" not in msgspec.json.decode(saved[-1])[1]


class History(FakeAccount):
    def fetch_current_usage(self, granularity: Granularity) -> Periods:
        return self.fetch_usage(granularity, Window(EARLIEST, LATEST))


class Histories:
    """The target and the state of `usage_records_all_time`."""

    def __init__(self) -> None:
        self.state = UsageState()
        self.rows: dict[tuple[str, date, str], Decimal] = {}

    def total(self, *accounts: FakeAccount) -> Decimal:
        """Load the accounts; return what the target then has."""
        options: dict[str, Any] = {"granularity": ALL_TIME, "separates_accounts": len(accounts) > 1}
        read = pipeline(*accounts, state=self.state, today=day(20), saved=[], **options)
        for context in read.begin():
            for rows in read.rows(context):
                self.rows |= {
                    (row.account_sid, row.start_date, row.category): row.deduplicated_price or ZERO
                    for row in rows
                }
        read.end()
        return sum(self.rows.values(), ZERO)


ZERO = Decimal(0)
TWO, THREE = ({"totalprice": price, "sms": price} for price in ("2", "3"))


def test_a_whole_history_that_begins_on_another_day_replaces_the_one_before() -> None:
    target = Histories()
    for first in (5, 7, 6, 8, 3, 9):
        assert target.total(History({day(first): PRICES})) == 5


def test_so_does_one_with_or_without_subaccounts() -> None:
    target = Histories()
    own = History({day(8): TWO}, includes_subaccounts=False)
    for _ in range(2):
        assert target.total(History({day(3): PRICES})) == 5
        assert target.total(own) == 2


def test_a_history_of_a_subaccount_is_withdrawn_wherever_it_began() -> None:
    target = Histories()
    main = History({day(3): TWO}, includes_subaccounts=False)
    for first in (5, 7):
        other = History({day(first): THREE}, sid="AC2", includes_subaccounts=False)
        assert target.total(main, other) == 5
    assert target.total(History({day(3): PRICES})) == 5


WITHOUT_SMS = {category: price for category, price in PRICES.items() if category != "sms"}


LISTED_WITH_A_GAP = r"WARNING .* does not list category (.*), though for other"
LISTED_NO_LONGER = r"WARNING .* no longer lists (.*), since"


def gaps(caplog: pytest.LogCaptureFixture, pattern: str = LISTED_WITH_A_GAP) -> list[str]:
    """Return what was warned of about days that do not list a category, and forget it."""
    found = re.findall(pattern, caplog.text)
    caplog.clear()
    return found


def test_a_gap_in_a_used_category_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    state = UsageState()
    days = {**only(range(9)), day(3): WITHOUT_SMS, day(4): {**WITHOUT_SMS, "new": "1"}}
    load(FakeAccount(days), state, day(8), lookback_days=35)
    assert gaps(caplog) == ["'sms' for 2026-01-04..2026-01-05"]
    for last in (9, 10, 11):  # which read the gap again
        days |= {day(last): WITHOUT_SMS if last == 10 else PRICES}
        load(FakeAccount(days), state, day(last), lookback_days=35)
        assert gaps(caplog) == (["'sms' for 2026-01-11"] if last == 11 else [])


def test_a_gap_ends_in_a_later_run_or_after_a_kill(caplog: pytest.LogCaptureFixture) -> None:
    state, saved = UsageState(), list[bytes]()
    days = {**only(range(9)), day(5): WITHOUT_SMS}
    for last in (4, 5, 6):
        assert gaps(caplog) == []
        load(FakeAccount(days), state, day(last), lookback_days=0)
    assert gaps(caplog) == ["'sms' for 2026-01-06"]
    read = pipeline(FakeAccount(days), state=UsageState(), today=day(8), saved=saved)
    periods = read.rows(read.begin()[0])
    for _ in range(6):
        next(periods)
    state = msgspec.json.decode(saved[-1], type=tuple[Any, UsageState])[1]
    assert gaps(caplog) == []
    load(FakeAccount(days), state, day(8), lookback_days=0)
    assert gaps(caplog) == ["'sms' for 2026-01-06"]


def test_a_day_that_lists_it_when_it_is_read_again_is_no_gap(
    caplog: pytest.LogCaptureFixture,
) -> None:
    state = UsageState()
    load(FakeAccount({**only(range(6)), day(5): WITHOUT_SMS}), state, day(5))
    load(FakeAccount(only(range(7))), state, day(6))
    assert gaps(caplog) == []


def test_a_category_that_is_renamed_or_withdrawn_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    renamed = {"totalprice": "5", "sms-renamed": "5"}
    account, state = FakeAccount({**only(range(4)), **only(range(4, 20), renamed)}), UsageState()
    for last in (8, 9, 10):
        load(account, state, day(last), lookback_days=7)
        assert ("does not list" in caplog.text) is False
        assert ("'sms-renamed' is listed since" in caplog.text) == (last == 8)
        assert gaps(caplog, LISTED_NO_LONGER) == (["'sms', 'sms-outbound'"] if last == 8 else [])
    account.days = {**account.days, day(11): PRICES}
    load(account, state, day(11), lookback_days=35)
    assert "AC1: 'sms' is listed again since 2026-01-12" in caplog.text
    caplog.clear()
    load(account, state, day(13), lookback_days=35)
    assert gaps(caplog, LISTED_NO_LONGER) == ["'sms', 'sms-outbound'"]


@pytest.mark.parametrize("late", [1, 2])
@pytest.mark.parametrize("separates", [True, False])
def test_a_category_whose_rows_come_late_every_day_is_said_once(
    caplog: pytest.LogCaptureFixture, late: int, *, separates: bool
) -> None:
    caplog.set_level(logging.INFO)
    state, said = UsageState(), []
    options = {"lookback_days": 7, "separates_accounts": separates}

    def run(last: int, late: int) -> None:
        listed = {**only(range(last - late)), **only(range(last - late, last + 1), WITHOUT_SMS)}
        load(FakeAccount(listed, created=day(-50)), state, day(last), **options)
        assert "listed again" not in caplog.text
        said.extend(gaps(caplog, LISTED_NO_LONGER))

    for last in range(20, 40):
        run(last, late)
    assert said == ["'sms'"]
    for last in range(40, 50):  # as before, then later, then not at all
        run(last, late + 1 if last < 44 else last - 40)
    assert said == ["'sms'"] * 3


@pytest.mark.parametrize("lookback", [0, 7, 35])
@pytest.mark.parametrize("spent", [{}, {"sms": "5"}])
def test_so_is_one_that_is_gone_from_every_day_that_is_read_again(
    caplog: pytest.LogCaptureFixture, lookback: int, spent: dict[str, str]
) -> None:
    state = UsageState()
    load(FakeAccount(only(range(31))), state, day(30), lookback_days=lookback)
    for last in (31, 32, 40):
        account = FakeAccount(only(range(last + 1), WITHOUT_SMS), spent=spent)
        load(account, state, day(last), lookback_days=lookback)
        assert gaps(caplog, LISTED_NO_LONGER) == (["'sms'"] if last == 31 else [])


@pytest.mark.parametrize("name", ["yesterday", "this_month", "last_month", "all_time"])
def test_so_is_one_of_a_stream_with_one_period(caplog: pytest.LogCaptureFixture, name: str) -> None:
    granularity = next(each for each in GRANULARITIES if each.name == name)
    state, said = UsageState(), []
    for number in range(9):
        start = {"yesterday": day(number), "all_time": day(-9)}.get(name, day(0))
        prices = {start: WITHOUT_SMS if 3 <= number < 7 else PRICES}
        load(History(prices), state, day(max(number, 1) + 1), granularity=granularity)
        said.append(gaps(caplog, LISTED_NO_LONGER))
    assert said == [[], [], [], ["'sms'"], [], [], [], [], []]


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        ({10}, ["'sms' for 2026-01-11"]),
        ({15, 16}, ["'sms' for 2026-01-16..2026-01-17"]),
        ({14, 15}, ["'sms' for 2026-01-15..2026-01-16"]),
        ({*range(15, 30)}, ["'sms'"]),
        ({*range(30)}, ["'sms'"]),
    ],
)
def test_a_gap_that_grows_or_is_another_one_is_said(
    caplog: pytest.LogCaptureFixture, later: set[int], expected: list[str]
) -> None:
    state = UsageState()
    for last, without in ((20, {15}), (21, {15} | later), (22, {15} | later)):
        lacking = {each: WITHOUT_SMS if each in without else PRICES for each in range(last + 1)}
        account = FakeAccount({day(each): prices for each, prices in lacking.items()})
        load(account, state, day(last), lookback_days=35)
        text = caplog.text
        found = gaps(caplog) + re.findall(LISTED_NO_LONGER, text)
        assert found == {20: ["'sms' for 2026-01-16"], 21: expected}.get(last, [])


@pytest.mark.parametrize("lookback", [0, 7])
def test_the_first_day_that_is_read_again_may_lack_it(
    caplog: pytest.LogCaptureFixture, lookback: int
) -> None:
    state = UsageState()
    load(FakeAccount(only(range(21))), state, day(20), lookback_days=lookback)
    days = {**only(range(22)), day(20 - lookback): WITHOUT_SMS}
    load(FakeAccount(days), state, day(21), lookback_days=lookback)
    assert gaps(caplog) == [f"'sms' for {day(20 - lookback)}"]


def test_days_before_a_category_was_introduced_are_no_gap(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Also after a kill, after a change of `subaccounts`, and if start_date is earlier now."""
    new = {**PRICES, "mms": "1", "totalprice": "6"}
    days = {**only(range(20)), **only(range(20, 44), new)}
    for stop in (3, 15, 25):
        saved: list[bytes] = []
        account = FakeAccount(days, created=day(-9))
        options: dict[str, Any] = {"start_date": day(10)}
        read = pipeline(account, state=UsageState(), today=day(40), saved=saved, **options)
        rows = read.rows(read.begin()[0])
        for _ in range(stop):
            next(rows)
        state = msgspec.json.decode(saved[-1], type=tuple[Any, UsageState])[1]
        for last in (40, 41):
            load(account, state, day(last), lookback_days=35, **options)
        load(account, state, day(42), lookback_days=7, start_date=day(5))
        account.includes_subaccounts = False
        load(account, state, day(43), start_date=day(5), separates_accounts=True)
    assert caplog.text.count("WARNING") == caplog.text.count("'mms' is new to this version")


def test_days_between_those_that_are_read_are_not_claimed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    state = UsageState()
    days = {**only(range(5)), **only(range(6, 60))}
    load(FakeAccount(days, created=day(-9)), state, day(50), start_date=day(0))
    days[day(5)] = WITHOUT_SMS
    load(FakeAccount(days, created=day(-9)), state, day(51), start_date=day(0))
    assert gaps(caplog) == [f"'sms' for {day(5)}"]


def test_a_name_of_a_category_is_logged_without_control_characters(
    caplog: pytest.LogCaptureFixture,
) -> None:
    state, odd = UsageState(), {**PRICES, "sms\x1b[2J": "0"}
    account = FakeAccount(only(range(4), odd), spent={"never\x07": "1", "sms\x1b[2J": "1"})
    load(account, state, day(3))
    account.days = only(range(6))
    load(account, state, day(5))
    assert {*gaps(caplog, LISTED_NO_LONGER)} == {r"'sms\x1b[2J'"}
    assert all(line.isprintable() for line in caplog.text.splitlines())


def test_a_category_that_the_last_day_lacks_is_said_unless_that_is_today(
    caplog: pytest.LogCaptureFixture,
) -> None:
    account = FakeAccount({**only(range(9)), day(4): WITHOUT_SMS})
    load(account, UsageState(), day(4))
    assert gaps(caplog, LISTED_NO_LONGER) == []
    state = UsageState()
    for _ in range(2):
        load(account, state, day(8), end_date=day(4))
        found = gaps(caplog, LISTED_NO_LONGER)
        assert found == (["'sms'"] if _ == 0 else [])


def test_a_category_with_spend_that_no_day_lists_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    account = FakeAccount(only(range(10), WITHOUT_SMS), spent={"sms": "5"}, created=day(0))
    for start, is_said in ((0, True), (3, False)):  # before the 3rd, days may have listed it
        state = UsageState()
        for last in (8, 9):
            load(account, state, day(last), start_date=day(start))
            found = "shows spend of 'sms', which no day lists" in caplog.text
            assert found == (is_said and last == 8)
            caplog.clear()


LARGE = {"totalprice": "50", "sms": "50"}
MORE = r"(\w+) .* AllTime has (\d+) more than all days since 2026-01-01 together"


@pytest.mark.parametrize("includes_subaccounts", [True, False])
@pytest.mark.parametrize("spent", [PRICES, LARGE])
def test_a_whole_history_that_is_more_than_its_days_is_said_once(
    caplog: pytest.LogCaptureFixture, spent: dict[str, str], *, includes_subaccounts: bool
) -> None:
    """The day of the creation need not have a record, so a missing one shows in the sum only."""
    caplog.set_level(logging.INFO)
    state = UsageState()
    account = FakeAccount(
        only(range(1, 11)), includes_subaccounts=includes_subaccounts, created=day(0), spent=spent
    )
    for last in (9, 10):
        account.days = only(range(1, last + 1))
        load(account, state, day(last), start_date=day(0))
        found = re.findall(MORE, caplog.text)
        level = "WARNING" if spent is LARGE else "INFO"
        assert found == ([(level, spent["totalprice"])] if last == 9 else [])
        assert ("a subaccount has usage before" in caplog.text) == (
            includes_subaccounts and last == 9
        )
        caplog.clear()


def test_so_it_is_after_kills_missing_days_an_end_date_and_for_a_new_account(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    whole = only(range(1, 31))
    account = FakeAccount(whole, includes_subaccounts=False, created=day(0), spent=LARGE)

    def run(state: UsageState, last: int, **options: Any) -> list[tuple[str, str]]:
        account.days = {each: prices for each, prices in whole.items() if each <= day(last)}
        caplog.clear()
        load(account, state, day(last), start_date=day(0), **options)
        return re.findall(MORE, caplog.text)

    found = [("WARNING", "50")]
    for lookback in (0, 3, 35):
        for periods in (1, 7, 20):
            saved: list[bytes] = []
            account.days = whole
            read = pipeline(account, state=UsageState(), today=day(30), saved=saved)
            rows = read.rows(read.begin()[0])
            for _ in range(periods):
                next(rows)
            state = msgspec.json.decode(saved[-1], type=tuple[Any, UsageState])[1]
            assert run(state, 30, lookback_days=1) == found
        state = UsageState()
        nights = [run(state, last, lookback_days=lookback) for last in range(12)]
        assert [each for each in nights if each] == [found]
        state = UsageState()
        assert run(state, 30, end_date=day(20), lookback_days=lookback) == found
        assert run(state, 30, lookback_days=lookback) == []
    state, missing = UsageState(), whole.pop(day(5))
    assert run(state, 20) == [("INFO", "50")]  # missing days are warned of already
    whole[day(5)] = missing
    assert run(state, 21) == []


def test_a_year_that_twilio_leaves_out_before_the_creation_is_warned_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The days before are not read, because the years do not show that there are any."""

    class WithoutOneYear(FakeAccount):
        def fetch_usage(self, granularity: Granularity, window: Window) -> Periods:
            found = super().fetch_usage(granularity, window)
            return found if granularity is DAILY else {each: found[each] for each in [*found][30:]}

    account = WithoutOneYear(only(range(60)), created=day(50))
    load(account, UsageState(), day(59), start_date=day(0))
    assert "AllTime has 150 more than all days since 2026-01-31 together" in caplog.text


def test_a_missing_day_of_the_main_account_does_not_keep_its_subaccounts() -> None:
    """After a change from `rolled_up`, their money is in their own rows."""
    state, target = UsageState(), dict[date, Decimal]()
    whole, own = only(range(9)), {**only(range(9), {"totalprice": "2", "sms": "2"})}
    del own[day(5)]
    for includes, days in ((True, whole), (False, own)):
        account = FakeAccount(days, includes_subaccounts=includes, created=day(-9))
        for rows in load(account, state, day(8), separates_accounts=not includes):
            target |= {rows[0][1]: sum((share or Decimal(0) for *_, share in rows), Decimal(0))}
    assert target == {day(number): Decimal(0 if number == 5 else 2) for number in range(9)}
    assert state.partitions[0].missing_days == [Window(day(5), day(5))]


@pytest.mark.parametrize("name", ["sms-renamed", "SMS"])
def test_a_category_that_is_not_listed_any_more_becomes_zero(name: str) -> None:
    state = UsageState()
    load(FakeAccount(only([0])), state, day(0))
    renamed = {**PRICES, name: PRICES["sms"]}
    del renamed["sms"]
    (rows,) = load(FakeAccount(only([0], renamed)), state, day(0))
    shares = {category: share for category, _, share in rows}
    assert shares["sms"] == 0
    assert sum(share or 0 for share in shares.values()) == 5
    assert name in shares


def test_a_category_that_is_gone_has_no_row_on_days_that_were_never_loaded() -> None:
    state = UsageState()
    load(FakeAccount(only([0])), state, day(0))
    without_sms = {"totalprice": "5", "sms-outbound": "5"}
    again, new = load(FakeAccount(only([0, 1], without_sms)), state, day(1))
    assert {category for category, *_ in again} == {"totalprice", "sms", "sms-outbound"}
    assert {category for category, *_ in new} == {"totalprice", "sms-outbound"}


def test_a_category_of_the_history_that_was_never_loaded_is_not_made_up() -> None:
    state = UsageState()
    account = FakeAccount(only([0]), spent={"faxes": "7"})
    load(account, state, day(0))
    state.partitions[0].used_categories = ["sms", "sms-outbound", "totalprice"]
    (rows,) = load(account, state, day(0))
    assert "faxes" not in {category for category, *_ in rows}


def test_a_state_of_an_older_version_knows_that_there_were_records() -> None:
    state = UsageState()
    load(FakeAccount(only(range(5))), state, day(4))
    (partition,) = state.partitions
    partition.first_rows = partition.last_rows = None
    load(FakeAccount(only(range(4))), state, day(9), lookback_days=0)
    assert partition.missing_days == [Window(day(4), day(8))]
    assert partition.bookmark == day(9)


def test_a_missing_day_of_older_subaccounts_stays_missing_after_an_earlier_start_date() -> None:
    state = UsageState()
    account = FakeAccount(only([*range(5, 10), *range(11, 30)]), created=day(20))
    load(account, state, day(25), start_date=day(5))
    assert state.partitions[0].missing_days == [Window(day(10), day(10))]
    load(account, state, day(26), start_date=day(0))
    assert Window(day(10), day(10)) in state.partitions[0].missing_days


def test_zeros_have_the_currency_of_the_total() -> None:
    account = FakeAccount(only([0]), sid="AC1")
    state = UsageState()
    load(account, state, day(0))
    euros = {category: record_of(category, price, day(0)) for category, price in PRICES.items()}
    for category, row in euros.items():
        row.price_unit = "eur" if category == "totalprice" else None
    del euros["sms"]
    account.fetch_usage = lambda *_: {day(0): [euros[name] for name in sorted(euros)]}  # type: ignore[method-assign]
    read = pipeline(account, state=state, today=day(0), saved=[])
    (rows,) = read.rows(read.begin()[0])
    assert {row.price_unit for row in rows if row.category == "sms"} == {"eur"}


def test_a_total_that_is_not_listed_any_more_is_not_made_up() -> None:
    state = UsageState()
    load(FakeAccount(only([0])), state, day(0))
    (rows,) = load(FakeAccount(only([0], {"sms": "5"})), state, day(0))
    assert {category for category, *_ in rows} == {"sms", "sms-outbound"}
    assert {share for *_, share in rows} == {None}


def test_an_earlier_start_date_is_loaded_by_the_next_run(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, LOGGER.name)
    state = UsageState()
    account = FakeAccount(only(range(30)))
    load(account, state, day(25), start_date=day(20))
    periods = load(account, state, day(26), start_date=day(10))
    assert [rows[0][1] for rows in periods] == [*map(day, range(10, 20)), day(24), day(25), day(26)]
    assert "AC1: start_date is earlier now: loading 2026-01-11..2026-01-20" in caplog.text
    assert state.partitions[0].first_day == day(10)
    assert len(load(account, state, day(27), start_date=day(10))) == 3
    assert len(load(account, state, day(28), start_date=day(20))) == 3


def test_an_earlier_start_date_is_loaded_however_often_the_run_is_cut_off() -> None:
    state, account = UsageState(), FakeAccount(only(range(30)))
    load(account, state, day(25), start_date=day(20))
    loaded = set()
    for _ in range(20):
        saved: list[bytes] = []
        read = pipeline(
            account, state=state, today=day(26), saved=saved, start_date=day(10), page_size=4
        )
        periods = read.rows(read.begin()[0])
        loaded |= {row.start_date for rows in (next(periods), next(periods)) for row in rows}
        state = msgspec.json.decode(saved[-1], type=tuple[Any, UsageState])[1]
    assert {*map(day, range(10, 20))} <= loaded


def test_an_account_younger_than_the_earlier_start_date_is_not_asked_for_days_before() -> None:
    account = FakeAccount(only(range(20, 30)), created=day(20), includes_subaccounts=False)
    state = UsageState()
    load(account, state, day(25), start_date=day(22))
    account.asked.clear()
    load(account, state, day(26), start_date=day(10))
    assert min(window.start for window in account.asked) == day(20)
    account.asked.clear()
    load(account, state, day(26), start_date=day(10))
    assert min(window.start for window in account.asked) == day(25)


def test_when_an_account_was_created_is_asked_for_once() -> None:
    asked = []

    class Watched(FakeAccount):
        def fetch_date_created(self) -> date | None:
            asked.append(self.sid)
            return self.created

    account = Watched(only(range(20, 30)), created=day(20), includes_subaccounts=False)
    state = UsageState()
    load(account, state, day(26), start_date=day(10))
    assert asked
    asked.clear()
    load(account, state, day(27), start_date=day(10))
    assert asked == []


def test_a_main_account_younger_than_its_subaccounts_is_read_from_their_first_usage() -> None:
    account = FakeAccount(only(range(5, 30)), created=day(20))
    periods = load(account, UsageState(), day(29), start_date=day(0))
    assert [rows[0][1] for rows in periods if rows] == [day(number) for number in range(5, 30)]


@pytest.mark.parametrize("lists", [False, True], ids=["not even its own", "its own"])
def test_years_without_a_record_are_no_answer_unless_twilio_lists_that_of_the_creation(
    caplog: pytest.LogCaptureFixture, *, lists: bool
) -> None:
    caplog.set_level(logging.INFO)

    class WithoutYears(FakeAccount):
        def fetch_usage(self, granularity: Granularity, window: Window) -> Periods:
            if granularity is DAILY or (lists and day(20) in window):
                return super().fetch_usage(granularity, window)
            return {}

    account, state = WithoutYears(only(range(5, 30)), created=day(20)), UsageState()
    periods = load(account, state, day(29), start_date=day(0))
    first = 20 if lists else 5
    assert [rows[0][1] for rows in periods if rows] == [day(number) for number in range(first, 30)]
    assert ("loading starts on 2026-01-01" in caplog.text) != lists
    assert state.partitions[0].missing_days == []


def test_an_account_whose_history_is_an_empty_list_is_not_unused() -> None:
    account = FakeAccount(only(range(3)))
    account.fetch_all_time = list  # type: ignore[method-assign]
    periods = load(account, UsageState(), day(2), separates_accounts=True)
    assert [len(rows) for rows in periods] == [3, 3, 3]


def test_an_empty_history_and_months_of_zeros_do_not_make_an_account_unused() -> None:
    account = FakeAccount(only(range(3), dict.fromkeys(PRICES, "0")))
    account.fetch_all_time = list  # type: ignore[method-assign]
    assert len(load(account, UsageState(), day(2), separates_accounts=True)) == 3


@pytest.mark.parametrize("first", [0, 40], ids=["at once", "in later months"])
def test_an_account_whose_amounts_cancel_each_other_out_is_not_unused(first: int) -> None:
    prices = {
        **only(range(first), {"totalprice": "0", "sms": "0"}),
        day(first): {"totalprice": "5", "sms": "5"},
        day(first + 1): {"totalprice": "-5", "sms": "-5"},
    }
    account, today = FakeAccount(prices), day(first + 1)
    periods = load(account, UsageState(), today, separates_accounts=True, start_date=day(0))
    assert [[share for *_, share in rows] for rows in periods[first:]] == [[5, 0], [-5, 0]]


def test_an_account_whose_amounts_cancel_each_other_out_within_a_month_is_not_unused() -> None:
    class Netted(FakeAccount):
        def fetch_usage(self, granularity: Granularity, window: Window) -> Periods:
            if granularity is not MONTHLY:
                return super().fetch_usage(granularity, window)
            return {window.start: [record_of(category, "0", window.start) for category in PRICES]}

    zeros = dict.fromkeys(PRICES, "0")
    account = Netted(
        {**only(range(9), zeros), day(3): {"totalprice": "5"}, day(5): {"totalprice": "-5"}}
    )
    periods = load(account, UsageState(), day(8), separates_accounts=True)
    assert [share for rows in periods for *_, share in rows if share] == [5, -5]


def test_days_that_a_start_date_leaves_out_are_missing_for_an_unused_account_too() -> None:
    unused = FakeAccount(only(range(60), dict.fromkeys(PRICES, "0")), includes_subaccounts=False)
    state = UsageState()
    for last, start in ((10, 0), (50, 45)):
        assert load(unused, state, day(last), start_date=day(start), separates_accounts=True) == []
    unused.days = {**unused.days, day(30): PRICES}
    periods = load(unused, state, day(51), start_date=day(0), separates_accounts=True)
    assert day(30) in {start for rows in periods for _, start, share in rows if share}


def test_an_account_that_has_never_used_anything_is_skipped() -> None:
    zeros = dict.fromkeys(PRICES, "0")
    account = FakeAccount(only(range(3), zeros))
    state = UsageState()
    assert load(account, state, day(2), separates_accounts=True) == []
    assert state.partitions[0].bookmark == day(2)


def test_days_are_unchanged_only_if_the_days_that_were_read_agree() -> None:
    """AllTime shows a restatement before the day does: the day is read again until it does."""
    options = {"separates_accounts": True, "lookback_days": 35}
    state = UsageState()
    load(FakeAccount(only(range(9))), state, day(8), **options)
    assert len(load(FakeAccount(only(range(10))), state, day(9), **options)) == 2
    ahead = FakeAccount(only(range(11)), spent={"totalprice": "1", "sms": "1"})
    assert len(load(ahead, state, day(10), **options)) == 11
    restated = {**PRICES, "totalprice": "6", "sms": "6"}
    caught_up = {**only(range(12)), day(3): restated}
    periods = load(FakeAccount(caught_up), state, day(11), **options)
    assert len(periods) == 12
    assert {rows[0][1]: sum(share or 0 for *_, share in rows) for rows in periods}[day(3)] == 6
    assert len(load(FakeAccount({**caught_up, day(12): PRICES}), state, day(12), **options)) == 2


def test_what_is_unchanged_is_forgotten_before_restated_days_are_read_again() -> None:
    options: dict[str, Any] = {"separates_accounts": True, "lookback_days": 35}
    state, saved = UsageState(), list[bytes]()
    load(FakeAccount(only(range(9))), state, day(8), **options)
    assert state.partitions[0].older_days is not None
    restated = FakeAccount({**only(range(10)), day(3): {**PRICES, "totalprice": "6"}})
    read = pipeline(restated, state=state, today=day(9), saved=saved, **options)
    next(read.rows(read.begin()[0]))
    assert all("older_days" not in json.loads(line)[1]["partitions"][0] for line in saved[1:])


def test_a_bookmark_after_today_is_reset_to_the_newest_day_with_records(
    caplog: pytest.LogCaptureFixture,
) -> None:
    state = UsageState()
    load(FakeAccount(only(range(5))), state, day(400))
    assert state.partitions[0].bookmark == day(400)
    state.partitions[0].catch_up(day(400))  # as after a change of `subaccounts`
    periods = load(FakeAccount(only(range(7))), state, day(6))
    assert "AC1: its bookmark, 2027-02-05, is after today" in caplog.text
    assert [rows[0][1] for rows in periods] == [day(3), day(4), day(5), day(6)]
    assert state.partitions[0].bookmark == day(6)
    assert state.partitions[0].catch_up_to is None
    assert state.partitions[0].missing_days == []


def test_the_first_state_of_a_run_without_focus_has_the_days_that_it_may_load_again() -> None:
    account, state, saved = FakeAccount(only(range(9))), UsageState(), list[bytes]()
    load(account, state, day(5))
    state.partitions[0].billed, state.partitions[0].days_without_focus = BilledDays(), []
    pipeline(account, state=state, today=day(8), saved=saved, lookback_days=2).begin()
    (_, first) = json.loads(saved[0])
    assert first["partitions"][0]["days_without_focus"] == [[f"{day(3)}", f"{day(8)}"]]


def test_many_new_accounts_are_put_into_the_state_at_once() -> None:
    accounts = [
        FakeAccount(only(range(2)), sid=f"AC{number}", includes_subaccounts=False)
        for number in range(60)
    ]
    saved: list[bytes] = []
    read = pipeline(
        *accounts, state=UsageState(), today=day(1), saved=saved, separates_accounts=True
    )
    read.begin()
    ((rows, state),) = map(msgspec.json.decode, saved)
    assert rows == "in any case"
    assert len({each["context"]["account_sid"] for each in state["partitions"]}) == 60
    assert {each["first_day"] for each in state["partitions"]} == {"2026-01-01"}
