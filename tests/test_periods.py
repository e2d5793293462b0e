"""Date windows, and the periods that they consist of."""

from __future__ import annotations

import math
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_twilio_usage.twilio.periods import (
    GRANULARITIES,
    PAGES_PER_WINDOW,
    Granularity,
    Window,
    periods_that_fill_pages,
    six_months_back,
)

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
def test_following_is_the_first_day_of_the_next_period(
    granularity: Granularity, day: date, following: date
) -> None:
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
def test_six_months_back_is_the_first_day_of_a_month(day: date, first: date) -> None:
    assert six_months_back(day) == first


@given(st.integers(0, 5000), st.integers(1, 1000))
def test_windows_fill_pages_at_least_as_well_as_windows_of_one_page(
    rows: int, page_size: int
) -> None:
    def rows_a_page(periods: int) -> float:
        return rows * periods / math.ceil(rows * periods / page_size)

    periods = periods_that_fill_pages(rows, page_size)
    assert periods >= 1
    assert rows * (periods - 1) <= PAGES_PER_WINDOW * page_size
    if rows:
        assert rows_a_page(periods) >= rows_a_page(max(1, page_size // rows))


@pytest.mark.parametrize(
    ("rows", "periods"),
    [(290, 10), (350, 11), (520, 7), (100, 10), (1000, 1), (1200, 3), (5000, 1)],
)
def test_windows_fill_pages_of_a_thousand_rows(rows: int, periods: int) -> None:
    assert periods_that_fill_pages(rows, 1000) == periods
