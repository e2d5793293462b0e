"""The periods and products of a billing group, without the SDK and without HTTP."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tap_twilio_usage.logs.anomalies import Anomalies
from tap_twilio_usage.sync.billing_gaps import BillingGaps, covering
from tap_twilio_usage.sync.plan import Planner
from tap_twilio_usage.sync.products import Products
from tap_twilio_usage.sync.state import BillingGroupContext, BillingGroupState
from tap_twilio_usage.twilio.periods import DAILY, EARLIEST, MONTHLY, Granularity, Window
from tests.options import Options

LOGGER = logging.getLogger("billing")
TODAY = date(2026, 1, 21)
JANUARY = Window(date(2026, 1, 1), date(2026, 1, 31))


def day(number: int) -> date:
    return date(2026, 1, number)


def days(first: int, last: int) -> Window:
    return Window(day(first), day(last))


def new_state(**fields: Any) -> BillingGroupState:
    return BillingGroupState(context=BillingGroupContext("group"), **fields)


def row(name: str, start: date, price: str = "5") -> dict[str, Any]:
    return {
        "product_category": "sms",
        "product_name": name,
        "start_date": start,
        "end_date": start,
        "price": Decimal(price),
        "price_unit": "USD",
    }


def load(  # noqa: PLR0913  (each is one thing, most are passed by name)
    state: BillingGroupState,
    read: Window,
    listed: Mapping[int, Iterable[str]],
    *,
    today: date = TODAY,
    lookback_days: int = 35,
    stop_before: int = 32,
) -> dict[tuple[str, int], Decimal]:
    """Read some days of January, as the stream does; return the price of each row by its day.

    A run that stops before a day was killed, or failed.
    """
    gaps, products = BillingGaps(state, DAILY, today), Products(state, lookback_days)
    found: dict[tuple[str, int], Decimal] = {}
    for window in (*gaps.to_ask_again(read, EARLIEST), read):
        for period in window.split(1, DAILY):
            if period.start.day >= stop_before:
                return found
            rows = [row(name, period.start) for name in listed.get(period.start.day, ())]
            for each in products.add_withdrawn(period, rows):
                found[each["product_name"], period.start.day] = each["price"]
            products.record(rows)
            gaps.note(period, is_listed=bool(rows), was_listed=products.were_listed(period))
            products.note_loaded(period, rows)
            state.advance(period.start)
    gaps.end("billing group 1", read, LOGGER)
    products.end("billing group 1", LOGGER)
    return found


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    messages = [record.getMessage() for record in caplog.records]
    caplog.clear()
    return messages


# Periods without records.


def test_a_period_that_lists_no_product_any_more_keeps_its_rows_and_is_missing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    state = new_state()
    load(state, days(1, 5), {n: ["SMS", "MMS"] for n in range(1, 6)})
    assert load(state, days(1, 6), {1: ["SMS", "MMS"], 5: ["SMS", "MMS"], 6: ["SMS"]}) == {
        (name, n): 5 for n in (1, 5) for name in ("SMS", "MMS")
    } | {("SMS", 6): 5}
    (line,) = said(caplog)
    assert line == (
        "billing group 1: Twilio listed products for 2026-01-02..2026-01-04 (3 days) before and "
        "lists none now; the rows stay as they were loaded, and every run asks again until it "
        "lists some"
    )
    assert state.missing_days == [days(2, 4)]
    later: dict[int, Iterable[str]] = {n: ["SMS"] for n in range(6, 9)}
    load(state, days(6, 7), later)
    assert (said(caplog), state.missing_days) == ([], [days(2, 4)])
    # They answer at last, and one product has another name.
    later.update({n: ["SMS", "Pictures"] for n in (2, 3, 4)})
    answer = load(state, days(7, 8), later)
    assert {name: answer[name, 3] for name in ("MMS", "Pictures")} == {"MMS": 0, "Pictures": 5}
    assert (said(caplog), state.missing_days) == ([], [])


def test_an_open_period_that_lost_its_products_is_missing_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    state = new_state()
    load(state, days(19, 21), {n: ["SMS"] for n in (19, 20, 21)})
    assert load(state, days(19, 21), {19: ["SMS"], 20: ["SMS"]})
    assert state.missing_days == [days(21, 21)]
    assert "listed products for 2026-01-21 (1 day) before" in said(caplog)[0]


def test_days_without_usage_are_one_line_when_they_are_first_read_and_are_not_asked_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    state = new_state()
    load(state, days(1, 21), {n: ["SMS"] for n in (4, 5, 8, 9, 18)})
    assert [record.levelno for record in caplog.records] == [logging.INFO]
    (line,) = said(caplog)
    assert line == (  # the 21st is not over
        "billing group 1: no record for 2026-01-01..2026-01-03, 2026-01-06..2026-01-07, "
        "2026-01-10..2026-01-17, 1 more (15 days), which is normal for days without usage"
    )
    assert (state.missing_days, state.logged_days) == ([], [])
    assert (state.first_rows, state.last_rows, state.bookmark) == (day(4), day(18), day(21))
    load(state, days(1, 22), {n: ["SMS"] for n in (4, 5, 8, 9, 18)}, today=day(22))
    assert said(caplog) == [
        "billing group 1: no record for 2026-01-21 (1 day), which is normal for days without usage"
    ]
    assert state.missing_days == []


def test_a_group_that_is_not_used_every_day_is_never_warned_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    state = new_state()
    for today in range(3, 29):
        used = {n: ["SMS"] for n in range(1, today + 1) if n % 2}
        load(state, days(max(1, today - 3), today), used, today=day(today))
    assert said(caplog) == []
    assert state.missing_days == []


def test_days_of_an_earlier_start_date_without_records_are_one_line_and_read_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    state, used = new_state(), {n: ["SMS"] for n in range(10, 21)}
    load(state, days(10, 20), used)
    assert said(caplog) == []
    state.missing_days = [days(1, 9)]
    load(state, days(10, 20), used, stop_before=5)
    assert state.missing_days == [days(5, 9)]  # the next run reads them
    load(state, days(10, 20), used)
    (line,) = said(caplog)
    assert line == (
        "billing group 1: no record for 2026-01-05..2026-01-09 (5 days), which is normal for days "
        "without usage"
    )
    assert (state.missing_days, state.first_rows) == ([], day(10))


def test_lost_products_of_a_run_that_was_killed_are_logged_by_the_next_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    state, used = new_state(), {n: ["SMS"] for n in range(1, 21)}
    load(state, days(1, 20), used)
    lost = {n: ["SMS"] for n in range(1, 21) if n not in {5, 6}}
    load(state, days(1, 20), lost, stop_before=15)
    assert (said(caplog), state.missing_days, state.logged_days) == ([], [days(5, 6)], [])
    load(state, days(15, 20), lost)
    assert "listed products for 2026-01-05..2026-01-06 (2 days) before" in said(caplog)[0]
    assert state.logged_days == state.missing_days == [days(5, 6)]
    load(state, days(15, 20), lost)
    assert said(caplog) == []
    # One of them answers, one more is lost: only that is new.
    load(state, days(6, 20), {**lost, 6: ["SMS"], 7: []})
    (line,) = said(caplog)
    assert "for 2026-01-07 (1 day) before" in line
    assert state.logged_days == state.missing_days == [days(5, 5), days(7, 7)]


def test_lost_products_are_known_as_such_after_the_lookback_too() -> None:
    state = new_state()
    load(state, days(1, 5), {n: ["SMS"] for n in range(1, 6)}, lookback_days=1)
    load(state, days(4, 10), {n: ["SMS"] for n in range(5, 11)}, lookback_days=1)
    assert state.missing_days == [days(4, 4)]
    load(state, days(9, 10), {n: ["SMS"] for n in range(5, 11)}, lookback_days=1)
    assert state.missing_days == [days(4, 4)]
    assert sorted(state.product_days) == ["2026-01-04", "2026-01-09", "2026-01-10"]


def test_missing_days_after_end_date_are_left_for_a_later_run() -> None:
    state = new_state(bookmark=day(25), missing_days=[days(3, 4), days(8, 12)])
    gaps = BillingGaps(state, DAILY, day(25))
    assert gaps.to_ask_again(days(10, 25), EARLIEST) == [days(3, 4), days(8, 9)]
    assert gaps.to_ask_again(days(10, 25), day(4)) == [days(4, 4), days(8, 9)]
    assert gaps.to_ask_again(days(20, 9), EARLIEST) == [days(3, 4), days(8, 9)]
    state.missing_days = [Window(JANUARY.start, date(2026, 4, 30))]
    months = BillingGaps(state, MONTHLY, date(2026, 8, 20))
    assert months.to_ask_again(Window(date(2026, 7, 1), date(2026, 2, 10)), EARLIEST) == [JANUARY]


def test_products_that_are_lost_beside_days_without_usage_are_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    state = new_state()
    load(state, days(1, 8), {n: ["SMS"] for n in (1, 4, 5)})
    said(caplog)
    load(state, days(1, 8), {1: ["SMS"]})
    assert "listed products for 2026-01-04..2026-01-05 (2 days) before" in said(caplog)[0]
    assert state.missing_days == [days(4, 5)]


def test_a_first_load_without_any_record_is_logged_once_and_asked_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    state = new_state()
    load(state, days(1, 20), {})
    (line,) = said(caplog)
    assert line == (
        "billing group 1: Twilio has no record for any day of 2026-01-01..2026-01-20; every run "
        "asks again until it has; check billing_group_ids and start_date"
    )
    assert (state.missing_days, state.bookmark) == ([days(1, 20)], day(20))
    load(state, days(20, 21), {}, today=day(22))
    assert (said(caplog), state.missing_days) == ([], [days(1, 21)])
    # It has rows since the 10th, but for the 12th: it may not have existed before.
    used = {n: ["SMS"] for n in (10, 11, *range(13, 22))}
    caplog.set_level(logging.INFO)
    assert load(state, days(21, 21), used, today=day(22)) == {("SMS", n): 5 for n in used}
    (line,) = said(caplog)
    assert line == (
        "billing group 1: no record for 2026-01-01..2026-01-09, 2026-01-12 (10 days), which is "
        "normal for days without usage"
    )
    assert (state.missing_days, state.logged_days) == ([], [])


def test_a_group_without_any_record_is_logged_also_if_its_first_load_was_killed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    state = new_state()
    load(state, days(1, 20), {}, stop_before=15)
    assert (said(caplog), state.missing_days) == ([], [days(1, 14)])
    load(state, days(14, 20), {})
    assert "no record for any day of" in said(caplog)[0]
    load(state, days(14, 20), {})
    assert (said(caplog), state.missing_days) == ([], [days(1, 20)])


def test_a_first_load_of_today_alone_without_any_record_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    state = new_state()
    load(state, Window(TODAY, TODAY), {})
    assert "no record for any day of 2026-01-21;" in said(caplog)[0]
    assert state.missing_days == [Window(TODAY, TODAY)]


def test_missing_days_after_today_are_from_a_wrong_clock() -> None:
    gaps = [days(3, 4), days(20, 28)]
    state = new_state(missing_days=gaps, logged_days=gaps)
    BillingGaps(state, DAILY, TODAY)
    assert state.logged_days == state.missing_days == [days(3, 4), days(20, 21)]


def test_gaps_that_are_close_are_read_by_one_request() -> None:
    weekends = [
        Window(first, first + timedelta(days=1))
        for first in (date(2025, 1, 4) + timedelta(days=7 * n) for n in range(52))
    ]
    windows = list(covering(weekends, 31, DAILY))
    assert len(windows) == 12
    assert all(1 <= window.days <= 31 for window in windows)
    for window in weekends:
        for each in window.split(1, DAILY):
            assert sum(each.start in found for found in windows) == 1
    assert list(covering([], 31, DAILY)) == []
    far = [days(1, 1), Window(date(2026, 12, 5), date(2026, 12, 6))]
    assert list(covering(far, 31, DAILY)) == far
    months = [JANUARY, Window(date(2026, 6, 1), date(2026, 6, 30))]
    assert list(covering(months, 11, MONTHLY)) == [Window(JANUARY.start, months[1].end)]


# Products that are not listed any more.


@pytest.mark.parametrize("bookmark", [day(5), None])
def test_a_loaded_period_without_a_checksum_gets_zeros_for_all_other_products(
    bookmark: date | None,
) -> None:
    state = new_state()
    load(state, days(1, 5), {n: ["SMS", "MMS"] for n in range(1, 6)}, lookback_days=0)
    assert state.product_days.keys() == {"2026-01-05"}
    state.bookmark = bookmark
    found = load(state, days(1, 6), {n: ["Texts", "MMS"] for n in range(1, 7)})
    assert found == {
        **{(name, n): 5 for name in ("Texts", "MMS") for n in range(1, 7)},
        **{("SMS", n): 0 for n in range(1, 6)},  # the sixth day is new
    }


def test_only_what_a_period_listed_before_is_set_to_zero_and_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Without a product that is new to the period, no other name can have the money."""
    caplog.set_level(logging.INFO)
    state, names = new_state(), {1: ["SMS", "MMS"], 2: ["SMS"], 3: ["SMS", "Voice"]}
    load(state, days(1, 3), names)
    assert said(caplog) == []
    names = {1: ["MMS"], 2: ["SMS", "A"], 3: ["A", "SMS"], 4: ["A"]}
    found = load(state, days(1, 4), names)
    assert {each: price for each, price in found.items() if not price} == {
        ("SMS", 1): 0,
        ("Voice", 3): 0,
    }
    levels = [record.levelname for record in caplog.records]
    no_longer = "billing group 1: Twilio no longer lists product"
    assert list(zip(levels, said(caplog), strict=True)) == [
        ("INFO", f"{no_longer} 'Voice' for 2026-01-03; its rows are set to zero"),
        (
            "WARNING",
            f"{no_longer} 'SMS' for 2026-01-01, and no new one instead; its rows are set to zero",
        ),
    ]
    load(state, days(1, 4), names)
    assert said(caplog) == []


def test_a_product_that_is_gone_is_logged_by_the_run_after_one_that_was_killed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    state, names = new_state(), {n: ["SMS", "MMS"] for n in range(1, 6)}
    load(state, days(1, 5), names)
    names[2] = ["SMS"]
    assert load(state, days(1, 5), names, stop_before=5)["MMS", 2] == 0
    assert said(caplog) == []
    assert load(state, days(1, 5), names)["MMS", 2] == 0
    assert ["'MMS' for 2026-01-02, and no new one" in line for line in said(caplog)] == [True]


# Which days are read.


def planner(granularity: Granularity, start: date, lookback_days: int = 0) -> Planner:
    return Planner(
        settings=Options(start_date=start, lookback_days=lookback_days),
        granularity=granularity,
        today=date(2026, 3, 20),
        is_incremental=True,
        logger=LOGGER,
        anomalies=Anomalies(LOGGER),
    )


@pytest.mark.parametrize(
    ("granularity", "start", "warns"),
    [
        (DAILY, date(2026, 1, 2), False),
        (DAILY, date(2026, 1, 3), True),
        (MONTHLY, date(2026, 1, 15), False),
        (MONTHLY, date(2026, 2, 15), False),
        (MONTHLY, date(2026, 3, 1), True),
    ],
)
def test_start_date_leaves_out_days_only_if_whole_periods_are_not_read(
    caplog: pytest.LogCaptureFixture, granularity: Granularity, start: date, *, warns: bool
) -> None:
    planner(granularity, start).days(new_state(bookmark=day(1)), "billing group 1")
    assert bool(said(caplog)) is warns


def test_an_earlier_start_date_adds_the_days_before_the_first_load_of_a_group() -> None:
    state = new_state(bookmark=date(2026, 3, 1))
    assert planner(DAILY, day(5)).earlier_days(state) is None  # of 0.1.0: it is not known
    state.asked_since = planner(DAILY, date(2026, 2, 10)).asked_since(state)
    assert planner(DAILY, date(2026, 2, 10)).earlier_days(state) is None
    assert planner(DAILY, day(5)).earlier_days(state) == Window(day(5), date(2026, 2, 9))
    assert planner(MONTHLY, day(5)).earlier_days(state) == JANUARY


def test_a_state_with_missing_days_can_be_read_again() -> None:
    state = new_state(missing_days=[days(2, 3)], asked_since=day(1), first_rows=day(1))
    assert msgspec.json.decode(msgspec.json.encode(state), type=BillingGroupState) == state
