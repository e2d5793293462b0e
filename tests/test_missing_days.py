"""Nothing is left out in silence, and nothing counts twice, over several runs. Without HTTP."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tap_twilio_usage.money.usage_record import Periods
from tap_twilio_usage.sync.state import UsageState
from tap_twilio_usage.twilio.errors import ApiError
from tap_twilio_usage.twilio.periods import DAILY, MONTHLY, YEARLY, Granularity, Window
from tests.test_pipeline import PRICES, FakeAccount, day, load, only, pipeline

BEFORE, TODAY = day(-9), date(2026, 8, 9)
ZEROS = dict.fromkeys(PRICES, "0")
RENAMED = {**{name: price for name, price in PRICES.items() if name != "sms"}, "sms-renamed": "5"}
Table = dict[tuple[str, date, str], Decimal | None]


@dataclass
class Younger(FakeAccount):
    """A main account that is younger than its subaccounts; some days do not answer."""

    silent: Iterable[date] = ()
    fails_on_days: date | None = None

    def fetch_usage(self, granularity: Granularity, window: Window) -> Periods:
        found = super().fetch_usage(granularity, window)
        if granularity is not DAILY:
            return found
        if self.fails_on_days in window:
            raise ApiError("no answer")
        return {each: rows for each, rows in found.items() if each not in {*self.silent}}


def loaded(account: FakeAccount, state: UsageState, today: date, **options: Any) -> set[date]:
    """Return the days of which a run has loaded rows."""
    return {rows[0][1] for rows in load(account, state, today, **options) if rows}


def warnings(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(each.getMessage() for each in caplog.records if each.levelno > logging.INFO)


def missing(state: UsageState) -> list[Window]:
    (partition,) = state.partitions
    days: list[Window] = partition.missing_days
    return days


def test_missing_days_are_asked_for_until_they_answer(caplog: pytest.LogCaptureFixture) -> None:
    state = UsageState()
    for last in (4, 5, 6):
        load(FakeAccount(only(range(3, last + 1)), created=day(0)), state, day(last))
        assert missing(state) == [Window(day(1), day(2))]
    assert warnings(caplog).count("no record for 2026-01-02..2026-01-03 (2 days)") == 1
    assert loaded(FakeAccount(only(range(60)), created=day(0)), state, day(59)) >= {day(1), day(2)}
    assert missing(state) == []


def test_so_are_days_before_the_main_account_was_created() -> None:
    state, silent = UsageState(), list(map(day, range(20)))
    for last in (29, 30, 89):
        account = Younger(only(range(5, last + 1)), created=day(20), silent=silent)
        load(account, state, day(last), start_date=day(0))
        assert missing(state) == [Window(day(5), day(19))]
    assert day(5) in loaded(FakeAccount(only(range(5, 91))), state, day(90), start_date=day(0))


def test_a_run_that_fails_leaves_it_to_the_next_to_log_them(
    caplog: pytest.LogCaptureFixture,
) -> None:
    state = UsageState()
    account = FakeAccount(only([0, 1, *range(4, 40)]), fails_on=day(20), created=BEFORE)
    with pytest.raises(ApiError):
        load(account, state, day(39), page_size=4)
    assert missing(state) == [Window(day(2), day(3))]
    assert warnings(caplog) == ""
    account.fails_on = None
    for _ in range(3):
        load(account, state, day(39), page_size=4)
    assert warnings(caplog).count("no record for 2026-01-03..2026-01-04 (2 days)") == 1


def test_days_before_creation_are_noted_though_the_first_run_fails(
    caplog: pytest.LogCaptureFixture,
) -> None:
    state, silent = UsageState(), list(map(day, range(20)))
    account = Younger(only(range(5, 90)), created=day(20), silent=silent, fails_on_days=day(25))
    with pytest.raises(ApiError):
        load(account, state, day(29), start_date=day(0), page_size=4)
    account.fails_on_days = None
    load(account, state, day(30), start_date=day(0), page_size=4)
    assert missing(state) == [Window(day(5), day(19))]
    assert "no record for 2026-01-06..2026-01-20 (15 days)" in warnings(caplog)


def test_days_before_the_first_record_are_logged_though_the_first_run_fails(
    caplog: pytest.LogCaptureFixture,
) -> None:
    state = UsageState()
    account = FakeAccount(only(range(5, 40)), fails_on=day(20))  # its creation is unknown
    with pytest.raises(ApiError):
        load(account, state, day(39), page_size=4)
    account.fails_on = None
    for _ in range(3):
        load(account, state, day(39), page_size=4)
    said = "no record for 2026-01-01..2026-01-05; whether the account existed then cannot be read"
    assert warnings(caplog).count(said) == 1
    assert missing(state) == []


@pytest.mark.parametrize(
    ("created", "said", "left"),
    [
        (BEFORE, " (10 days), though the account existed", [Window(day(10), day(19))]),
        (None, "; whether the account existed then cannot be read", []),
    ],
)
def test_earlier_days_without_any_record_are_logged_once(
    caplog: pytest.LogCaptureFixture, created: date | None, said: str, left: list[Window]
) -> None:
    state = UsageState()
    account = FakeAccount(only(range(20, 60)), created=created)
    load(account, state, day(25), start_date=day(20))
    for last in (26, 27):
        load(account, state, day(last), start_date=day(10))
        assert missing(state) == left
    assert (
        warnings(caplog).count(
            f"no record for 2026-01-11..2026-01-20{' ' * (said[0] == '(')}{said}"
        )
        == 1
    )


def test_earlier_days_are_asked_for_again_after_a_killed_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    state, saved = UsageState(), list[bytes]()
    some = FakeAccount(only(range(20, 60)), created=BEFORE)
    load(some, state, day(25), start_date=day(20))
    whole = FakeAccount(only(range(60)), created=BEFORE)
    read = pipeline(whole, state=state, today=day(26), saved=saved, start_date=day(10))
    next(read.rows(read.begin()[0]))
    _, state = msgspec.json.decode(saved[1], type=tuple[Any, UsageState])
    load(some, state, day(27), start_date=day(10))
    assert "no record for 2026-01-11..2026-01-20" in warnings(caplog)
    assert day(10) in loaded(whole, state, day(28), start_date=day(10))


def test_an_end_date_before_the_first_use_is_no_failure() -> None:
    later = {**only(range(60), ZEROS), **only(range(60, 90))}
    load(FakeAccount(later, created=day(0)), UsageState(), day(89), end_date=day(30))
    load(FakeAccount(only(range(60, 90))), UsageState(), day(89), end_date=day(30))


def test_an_earlier_start_date_is_loaded_with_an_end_date_before_the_bookmark(
    caplog: pytest.LogCaptureFixture,
) -> None:
    state, account = UsageState(), FakeAccount(only(range(90)), created=BEFORE)
    load(account, state, day(80), start_date=day(20))
    found = loaded(account, state, day(81), start_date=day(0), end_date=day(9))
    assert found == set(map(day, range(10)))
    assert missing(state) == [Window(day(10), day(19))]  # loaded by the next run
    assert loaded(account, state, day(82), start_date=day(0)) >= set(map(day, range(10, 20)))
    assert warnings(caplog) == ""


@pytest.mark.parametrize("granularity", [MONTHLY, YEARLY])
def test_so_are_whole_months_and_years(granularity: Granularity) -> None:
    days = [date(year, month, 1) for year in (2024, 2025, 2026) for month in range(1, 13)]
    periods = sorted({granularity.first(each) for each in days if each < TODAY})
    account = FakeAccount(dict.fromkeys(periods, PRICES), created=date(2023, 1, 1))
    state = UsageState()
    options: dict[str, Any] = {"granularity": granularity, "lookback_days": 0}
    found = loaded(account, state, TODAY, start_date=date(2026, 6, 1), **options)
    early = {"start_date": date(2024, 1, 1), "end_date": date(2025, 2, 10)}
    found |= loaded(account, state, date(2026, 8, 10), **early, **options)
    found |= loaded(account, state, date(2026, 8, 11), start_date=date(2024, 1, 1), **options)
    assert found == {*periods}
    assert missing(state) == []


def test_a_month_that_is_missing_up_to_an_end_date_is_asked_for_as_a_whole() -> None:
    december = date(2025, 12, 1)
    state, account = UsageState(), FakeAccount({december: PRICES}, created=date(2025, 11, 1))
    options: dict[str, Any] = {"granularity": MONTHLY, "lookback_days": 0, "start_date": december}
    load(account, state, date(2026, 2, 9), end_date=day(9), **options)
    assert missing(state) == [Window(day(0), day(30))]
    account.asked.clear()
    load(account, state, date(2026, 2, 10), **options)
    assert day(30) in next(window for window in account.asked if window.start == day(0))


def test_it_logs_nothing_of_days_that_it_did_not_ask_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    state, account = UsageState(), FakeAccount(only(range(90)), created=BEFORE)
    load(account, state, day(25), start_date=day(20), lookback_days=35)
    options = {"start_date": day(0), "end_date": day(9), "lookback_days": 35}
    assert loaded(account, state, day(26), **options) == set(map(day, range(10)))
    assert warnings(caplog) == ""


def test_days_that_a_start_date_left_out_are_loaded_once_it_is_moved_back() -> None:
    state, account = UsageState(), FakeAccount(only(range(90)), created=BEFORE)
    found = set[date]()
    for last, start in ((10, 0), (30, 25), (31, 25), (32, 0)):
        found |= loaded(account, state, day(last), start_date=day(start))
        assert (day(15) in found) == (start == 0 and last == 32)
    assert found == set(map(day, range(33)))


def test_a_new_account_may_have_spend_that_its_days_do_not_have_yet() -> None:
    new = FakeAccount(only([0, 1], ZEROS), spent={"sms": "1"}, created=day(0))
    load(new, UsageState(), day(1))


def test_a_new_account_may_have_no_record_yet(caplog: pytest.LogCaptureFixture) -> None:
    state = UsageState()
    with caplog.at_level(logging.INFO):
        load(FakeAccount({}, spent={"sms": "1"}, created=day(3)), state, day(4))
    assert "AC1 is new and has no record yet" in caplog.text
    assert warnings(caplog) == ""
    assert len(loaded(FakeAccount(only([3, 4, 5]), created=day(3)), state, day(5))) == 3


def test_amounts_that_cancel_each_other_out_in_earlier_days_are_loaded() -> None:
    days = {**only(range(60), ZEROS), day(0): {"totalprice": "5"}, day(1): {"totalprice": "-5"}}
    account = FakeAccount(days, created=BEFORE, includes_subaccounts=False)
    state = UsageState()
    load(account, state, day(45), start_date=day(40), separates_accounts=True)
    options = {"start_date": day(0), "separates_accounts": True}
    assert day(0) in loaded(account, state, day(46), **options)


def test_a_gap_that_answers_in_part_is_not_logged_again(caplog: pytest.LogCaptureFixture) -> None:
    state = UsageState()
    load(FakeAccount(only([0, 1, *range(8, 20)]), created=BEFORE), state, day(19))
    caplog.clear()
    load(FakeAccount(only([*range(4), *range(8, 20)]), created=BEFORE), state, day(19))
    assert warnings(caplog) == ""
    assert missing(state) == [Window(day(4), day(7))]


def test_a_gap_that_grows_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    state = UsageState()
    for last in range(10, 20):  # such as a closed account that lists nothing any more
        load(FakeAccount(only(range(min(last + 1, 13))), created=BEFORE), state, day(last))
    assert warnings(caplog).count("no record") == 1
    assert missing(state) == [Window(day(13), day(18))]


def test_a_state_of_version_0_1_0_knows_from_the_creation_what_is_missing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    state = UsageState()
    load(FakeAccount(only(range(20))), state, day(19), lookback_days=5)
    (partition,) = state.partitions
    partition.first_rows = partition.last_rows = partition.asked_since = None
    account = FakeAccount(only([*range(14), 19, 20]), created=BEFORE)
    load(account, state, day(20), lookback_days=5)
    assert "no record for 2026-01-15..2026-01-19 (5 days)" in warnings(caplog)


# Each dollar once.


def run(
    table: Table,
    state: UsageState,
    today: date,
    *accounts: FakeAccount,
    periods: int = 10**9,
    is_rarely_saved: bool = False,
    **options: Any,
) -> UsageState:
    """Add a run's rows to the table; it is killed after so many periods. Return its last STATE."""
    saved = list[bytes]()
    read = pipeline(*accounts, state=state, today=today, saved=saved, **options)
    if is_rarely_saved:
        read._run.save = lambda _: None
    for context in read.begin():
        for rows in read.rows(context):
            table.update(
                {(r.account_sid, r.start_date, r.category): r.deduplicated_price for r in rows}
            )
            periods -= 1
            if not periods:
                return msgspec.json.decode(saved[-1], type=tuple[Any, UsageState])[1]
    read.end()
    return msgspec.json.decode(saved[-1], type=tuple[Any, UsageState])[1]


def sums(table: Table) -> set[Decimal]:
    """Return the different sums of days."""
    days = {day for _, day, _ in table}
    return {
        sum((p or Decimal(0) for (_, d, _), p in table.items() if d == day), Decimal(0))
        for day in days
    }


def test_a_category_renamed_after_a_run_with_a_clock_behind_leaves_no_old_money() -> None:
    table, account = Table(), FakeAccount(only(range(50)))
    state = run(table, UsageState(), day(49), account)
    ahead = run(table, state, day(20), account)  # the clock of a machine from a snapshot
    run(table, ahead, day(59), FakeAccount(only(range(60), RENAMED)))
    assert sums({key: price for key, price in table.items() if key[1] >= day(19)}) == {5}


def sixty(prices: dict[str, str]) -> list[FakeAccount]:
    return [
        FakeAccount(only(range(3), prices), sid=f"AC{number:03}", includes_subaccounts=False)
        for number in range(1, 61)
    ]


def test_many_accounts_killed_between_two_states_leave_no_old_money_of_a_renamed_category() -> None:
    table, options = Table(), {"separates_accounts": True}
    accounts = sixty(dict(PRICES))
    state = run(table, UsageState(), day(2), *accounts, periods=5, is_rarely_saved=True, **options)
    state = run(table, state, day(2), *sixty(RENAMED), **options)
    assert sums(table) == {300}
    assert state.used_categories == []
    assert "sms" not in (state.partitions[-1].used_categories or [])


def test_many_accounts_killed_between_two_states_are_set_to_zero_after_a_change() -> None:
    table = Table()
    accounts = sixty(dict(PRICES))
    state = run(
        table,
        UsageState(),
        day(2),
        *accounts,
        periods=30,
        is_rarely_saved=True,
        separates_accounts=True,
    )
    whole = {"totalprice": "300", "sms": "300"}
    run(table, state, day(2), FakeAccount(only(range(3), whole), sid="AC001"))
    assert sums(table) == {300}


@pytest.mark.parametrize("separates", [True, False])
def test_days_before_creation_leave_no_rolled_up_money_after_a_change(*, separates: bool) -> None:
    """The main account was created on day 20; before, only its older subaccount had spend."""
    table, today = Table(), day(29)
    own = {"totalprice": "2", "sms": "2"}
    theirs = {"totalprice": "3", "sms": "3"}
    rolled_up = FakeAccount({**only(range(5, 20), theirs), **only(range(20, 30))}, created=day(20))
    main = FakeAccount(only(range(20, 30), own), created=day(20), includes_subaccounts=False)
    sub = FakeAccount(
        only(range(5, 30), theirs), sid="AC2", created=day(5), includes_subaccounts=False
    )
    state = run(table, UsageState(), today, rolled_up)
    accounts = (main, sub) if separates else (main,)
    run(table, state, today, *accounts, separates_accounts=separates)
    before = {key: price for key, price in table.items() if key[1] < day(20)}
    assert sums(before) == ({3} if separates else {0})
    assert sums({k: p for k, p in table.items() if k not in before}) == ({5} if separates else {2})


def test_an_end_date_before_what_a_killed_run_emitted_leaves_it_unknown() -> None:
    table, account = Table(), FakeAccount(only(range(60)))
    state = run(table, UsageState(), day(20), account)
    state = run(table, state, day(30), account, periods=6, lookback_days=0)
    state = run(table, state, day(30), account, end_date=day(21), lookback_days=5)
    assert state.reading_up_to == day(30)
    run(table, state, day(31), FakeAccount(only(range(60), RENAMED)), lookback_days=0)
    assert sums(table) == {5}


def test_so_does_a_run_without_the_account_that_was_cut_off() -> None:
    def accounts(prices: dict[str, str], *sids: str) -> list[FakeAccount]:
        return [
            FakeAccount(only(range(60), prices), sid=sid, includes_subaccounts=False)
            for sid in sids
        ]

    table, both = Table(), accounts(dict(PRICES), "AC1", "AC2")
    options: dict[str, Any] = {"separates_accounts": True, "lookback_days": 0}
    state = run(table, UsageState(), day(5), *both, **options)
    state = run(table, state, day(9), *both, periods=8, **options)  # killed in the second
    state = run(table, state, day(9), both[0], **options)
    run(table, state, day(10), *accounts(RENAMED, "AC1", "AC2"), **options)
    assert sums(table) == {10}


def test_days_before_creation_are_overwritten_in_focus_by_a_later_run_with_it() -> None:
    table = Table()
    older = {"totalprice": "3", "sms": "3"}
    rolled_up = FakeAccount(only(range(5, 30), older), created=day(20))
    own = FakeAccount(only(range(20, 30)), created=day(20), includes_subaccounts=False)
    state = UsageState()
    for account, emits in ((rolled_up, True), (own, False), (own, True)):
        read = pipeline(account, state=state, today=day(29), saved=[])
        read._run.emits_focus = emits
        for context in read.begin():
            for rows in read.rows(context):
                if emits:
                    table.update({(r.account_sid, r.start_date, r.category): r.price for r in rows})
        read.end()
    assert sums({key: price for key, price in table.items() if key[1] < day(20)}) == {0}
