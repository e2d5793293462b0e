"""Windows, and the order of parallel work."""

from __future__ import annotations

import math
import threading
import time
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_twilio_usage.twilio.periods import (
    GRANULARITIES,
    MOST_PAGES,
    Granularity,
    Window,
    periods_that_fill_pages,
    six_months_back,
)
from tap_twilio_usage.twilio.threads import InOrder, once, spawn

DAILY, MONTHLY, YEARLY = GRANULARITIES[:3]


@given(
    st.dates(date(2000, 1, 1), date(2100, 1, 1)),
    st.integers(1, 900),
    st.integers(1, 40),
    st.sampled_from([DAILY, MONTHLY, YEARLY]),
)
def test_windows_cover_every_day_once_in_order(
    start: date, days: int, size: int, granularity: Granularity
) -> None:
    window = Window(start, start + timedelta(days=days - 1))
    parts = list(window.split(size, granularity))
    assert [part.start for part in parts[1:]] == [p.end + timedelta(days=1) for p in parts[:-1]]
    assert (parts[0].start, parts[-1].end) == window
    assert sum(part.days for part in parts) == window.days == days
    assert max(part.days for part in parts) <= size * granularity.longest
    assert granularity.first is not None
    assert all(part.start == granularity.first(part.start) for part in parts[1:])
    assert window.start in window
    assert window.end + timedelta(days=1) not in window


def test_a_window_that_ends_before_it_starts_has_no_days() -> None:
    assert list(Window(date(2026, 1, 2), date(2026, 1, 1)).split(1, DAILY)) == []


@pytest.mark.parametrize(
    ("granularity", "day", "following"),
    [
        (DAILY, date(2024, 2, 28), date(2024, 2, 29)),
        (MONTHLY, date(2024, 2, 29), date(2024, 3, 1)),
        (MONTHLY, date(2026, 1, 1), date(2026, 2, 1)),
        (MONTHLY, date(2026, 12, 31), date(2027, 1, 1)),
        (YEARLY, date(2024, 2, 29), date(2025, 1, 1)),
        (YEARLY, date(2026, 1, 1), date(2027, 1, 1)),
    ],
)
def test_the_period_that_follows(granularity: Granularity, day: date, following: date) -> None:
    assert granularity.following(day) == following


@pytest.mark.parametrize(
    ("day", "first"),
    [
        (date(2026, 11, 21), date(2026, 5, 1)),
        (date(2026, 6, 30), date(2025, 12, 1)),
        (date(2028, 2, 29), date(2027, 8, 1)),
        (date(2026, 1, 1), date(2025, 7, 1)),
    ],
)
def test_six_months_back(day: date, first: date) -> None:
    assert six_months_back(day) == first


@given(st.integers(0, 5000), st.integers(1, 1000))
def test_windows_waste_no_more_of_pages_than_those_of_one_page(rows: int, page_size: int) -> None:
    def rows_a_page(periods: int) -> float:
        return rows * periods / math.ceil(rows * periods / page_size)

    periods = periods_that_fill_pages(rows, page_size)
    assert periods >= 1
    assert rows * (periods - 1) <= MOST_PAGES * page_size
    if rows:
        assert rows_a_page(periods) >= rows_a_page(max(1, page_size // rows))


@pytest.mark.parametrize(
    ("rows", "periods"),
    [(290, 10), (350, 11), (520, 7), (100, 10), (1000, 1), (1200, 3), (5000, 1)],
)
def test_windows_that_fill_pages_of_a_thousand(rows: int, periods: int) -> None:
    assert periods_that_fill_pages(rows, 1000) == periods


def test_results_come_in_order_whatever_ends_first() -> None:
    def work(number: int) -> int:
        time.sleep(0.02 if number % 3 == 0 else 0)
        return number

    assert list(InOrder(work, range(20), 4)) == list(range(20))


def test_no_more_work_is_under_way_than_allowed_and_it_does_go_on_in_parallel() -> None:
    lock, now, most = threading.Lock(), [0], [0]

    def work(_: int) -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.01)
        with lock:
            now[0] -= 1

    list(InOrder(work, range(20), 3))
    assert most == [3]


def test_work_is_not_begun_before_it_is_wanted() -> None:
    begun: list[int] = []
    results = InOrder(begun.append, range(100), 4)
    next(results)
    time.sleep(0.05)
    assert len(begun) == 4


def test_what_failed_ahead_of_its_turn_can_be_begun_again() -> None:
    is_down = [True]

    def work(number: int) -> int:
        if is_down[0] and number:
            raise LookupError(number)
        return number

    results = InOrder(work, range(4), 4)
    assert next(results) == 0
    time.sleep(0.05)
    is_down[0] = False
    results.begin_again(ValueError)  # of another kind
    with pytest.raises(LookupError, match="1"):
        next(results)
    results.begin_again(LookupError)
    assert list(results) == [2, 3]


def test_once_is_worked_out_once_for_each_object_and_not_one_after_the_other() -> None:
    asked, both = [], threading.Barrier(2, timeout=5)

    class Asked:
        @once
        def value(self) -> int:
            asked.append(self)
            both.wait()  # for the one of the other object
            return len(asked)

    objects = Asked(), Asked()
    futures = [spawn(each.value) for each in objects * 3]
    assert len({future.result(timeout=5) for future in futures}) == 1
    assert len(asked) == 2


def test_once_tries_again_after_an_error() -> None:
    class Asked:
        errors = iter([ValueError("once")])

        @once
        def value(self) -> int:
            for error in self.errors:
                raise error
            return 1

    asked = Asked()
    with pytest.raises(ValueError, match="once"):
        asked.value()
    assert asked.value() == 1


def test_an_error_comes_in_its_turn() -> None:
    def work(number: int) -> int:
        if number == 2:
            raise ValueError(number)
        return number

    results = InOrder(work, range(9), 4)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="2"):
        next(results)
