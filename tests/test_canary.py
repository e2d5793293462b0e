"""The look-out for secrets finds them."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.canary import leaks

SECRET = 'canary+auth/token=5d2f&"%\\~'


@pytest.mark.parametrize(
    "text",
    [SECRET, quote(SECRET, safe=""), quote(SECRET), quote_plus(SECRET), json.dumps([SECRET])],
)
def test_a_secret_is_found_however_it_is_quoted(text: str) -> None:
    assert leaks(f"a line with {text} in it", [SECRET, "another"]) == [SECRET]


@given(before=st.binary(max_size=10), after=st.binary(max_size=10))
def test_a_secret_is_found_in_base64_wherever_it_stands(before: bytes, after: bytes) -> None:
    text = before + SECRET.encode() + after
    for encode in (b64encode, urlsafe_b64encode):
        assert leaks(f"Basic {encode(text).decode()}", [SECRET]) == [SECRET]


def test_nothing_is_found_where_nothing_is() -> None:
    assert leaks("tap-twilio-usage: usage_records_daily, 31 days", [SECRET]) == []
