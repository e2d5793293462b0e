"""Arrow tables of messages: types, exact amounts, and what does not fit."""

from __future__ import annotations

import json
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_twilio_usage.dlt.arrow import DAY, MOMENT, MONEY, Table
from tap_twilio_usage.errors import TapError
from tap_twilio_usage.singer.decimals import FORMAT

SCHEMA = {
    "properties": {
        "key": {"type": "string"},
        "amount": {"type": ["null", "number"]},
        "amount_as_text": {"type": ["null", "string"], **FORMAT},
        "level": {"type": ["integer", "null"]},
        "flag": {"type": ["boolean", "null"]},
        "day": {"type": ["string", "null"], "format": "date"},
        "moment": {"type": ["string", "null"], "format": "date-time"},
        "names": {"type": ["array", "null"], "items": {"type": "string"}},
        "anything": {},
        "either": {"type": ["string", "number", "null"]},
    }
}
TABLE = Table("stream", SCHEMA, ["key"])

exact = st.decimals(
    min_value=-(10**26) + 1, max_value=10**26 - 1, allow_nan=False, allow_infinity=False, places=12
)


def line(**record: Any) -> bytes:
    message = {"type": "RECORD", "stream": "stream", "record": {"key": "", **record}}
    return json.dumps(message).encode() + b"\n"


def parsed(text: str, name: str = "amount") -> Any:
    """Return a value that has this text in a message."""
    lines = line(**{name: "VALUE"}).replace(b'"VALUE"', text.encode())
    return TABLE.parse(lines).column(name)[0].as_py()


def test_each_column_has_the_type_of_its_property() -> None:
    assert {field.name: field.type for field in TABLE.schema} == {
        "key": pa.string(),
        "amount": MONEY,
        "amount_as_text": MONEY,
        "level": pa.int64(),
        "flag": pa.bool_(),
        "day": DAY,
        "moment": MOMENT,
        "names": pa.string(),
        "anything": pa.string(),
        "either": pa.string(),
    }
    assert [field.name for field in TABLE.schema if not field.nullable] == ["key"]


@given(exact)
@settings(deadline=None)  # the first call imports parts of Arrow
def test_an_amount_is_exact(amount: Decimal) -> None:
    assert parsed(f"{amount}") == amount
    assert parsed(f"{amount:e}") == amount
    assert parsed(f'"{amount:f}"', "amount_as_text") == amount


@pytest.mark.parametrize("text", ["1E-13", "1E+26", "-1E+26", "0.30000000000000004", '"text"'])
def test_an_amount_that_would_lose_digits_is_refused(text: str) -> None:
    with pytest.raises(TapError, match=r"^stream: a record does not fit the types of its columns"):
        parsed(text)


def test_values_are_typed() -> None:
    lines = line(
        level=3,
        flag=True,
        day="2026-01-31",
        moment="2026-01-31T01:02:03.000004+02:00",
        names=["a", 'quote"d'],
        anything={"a": [1, None]},
        either=1.5,
        not_in_the_schema=[],
    )
    (row,) = TABLE.parse(lines).to_pylist()
    assert row == {
        "key": "",
        "amount": None,
        "amount_as_text": None,
        "level": 3,
        "flag": True,
        "day": date(2026, 1, 31),
        "moment": datetime(2026, 1, 30, 23, 2, 3, 4, tzinfo=timezone.utc),
        "names": row["names"],
        "anything": row["anything"],
        "either": "1.5",
    }
    assert json.loads(row["names"]) == ["a", 'quote"d']
    assert json.loads(row["anything"]) == {"a": [1, None]}


def test_text_and_null_stay_what_they_are() -> None:
    lines = b"".join(line(either=value, anything=value) for value in ("", "null", "[]", None))
    table = TABLE.parse(lines)
    assert table.column("either").to_pylist() == ["", "null", "[]", None]
    assert table.column("anything").to_pylist() == ["", "null", "[]", None]


@pytest.mark.parametrize(
    "record",
    [{"day": "2026-02-30"}, {"moment": "2026-01-31T00:00:00"}, {"level": 1.5}, {"flag": "true"}],
)
def test_a_value_of_another_type_is_refused(record: dict[str, Any]) -> None:
    with pytest.raises(TapError, match=r"^stream: a record does not fit"):
        TABLE.parse(line(**record))
