"""Single values of Twilio's JSON: what is read exactly, and what is refused."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_twilio_usage.money.parsers import price


@given(st.integers(-(10**38) + 1, 10**38 - 1))
def test_a_price_that_fits_decimal_38_12_is_exact(units: int) -> None:
    text = f"{units // abs(units or 1) * (abs(units) // 10**12)}.{abs(units) % 10**12:012}"
    assert price(text) == Decimal(text)


@pytest.mark.parametrize("text", ["1.000000000000000000000000", "0E+50", "-0", "1.50", "9e25"])
def test_zeros_at_the_end_and_exponents_do_not_count_as_digits(text: str) -> None:
    assert price(text) == Decimal(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0.0000000000001", "has more than 12 decimals"),
        ("-1.1234567890123", "has more than 12 decimals"),
        ("1E-13", "has more than 12 decimals"),
        ("1E+26", "has more than 26 digits before the point"),
        ("-123456789012345678901234567", "has more than 26 digits before the point"),
        ("1,234.50", "is not a number"),
    ],
)
def test_a_price_that_no_target_stores_exactly_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        price(text)
