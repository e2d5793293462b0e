"""`use_singer_decimal`: amounts as strings with the format x-singer.decimal, in every stream."""

from __future__ import annotations

import json
import re
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox import (
    AUTH_TOKEN,
    BILLING_GROUP_IDS,
    CLIENT_ID,
    CLIENT_SECRET,
    MAIN_SID,
    Company,
    Server,
)
from tap_twilio_usage.errors import TapError
from tap_twilio_usage.singer.decimals import Decimals
from tests.conftest import ROOT, Run, Sync, catalog_of, config
from tests.http_server import Answer, Request, serve
from tests.twilio import Days, account, page, record

STREAM = "usage_records_daily"
PLAIN = re.compile(r"-?[0-9]+(\.[0-9]+)?")
DAYS: Days = {
    "2026-01-01": {"calls": "3", "calls-inbound": "2", "sms": "1E+1", "totalprice": "13"},
    "2026-01-02": {"sms": "0.0000001", "mms": None, "totalprice": "0.000000100000"},
}
DECIMAL = {"format": "x-singer.decimal", "precision": 38, "scale": 12}
ANY_TIME = dict.fromkeys(("as_of", "x_AsOf", "retrieved_at"))
SCHEMA = {
    "properties": {
        "amount": {"type": ["number", "null"], "description": "An amount"},
        "level": {"type": ["integer", "null"]},
        "name": {"type": "string"},
        "always": {"type": ["number"]},
    }
}

amounts = st.decimals(
    min_value=-(10**26) + 1, max_value=10**26 - 1, allow_nan=False, allow_infinity=False, places=12
)


@given(amounts)
def test_an_amount_is_written_with_all_its_digits_and_without_an_exponent(amount: Decimal) -> None:
    converted = Decimals(STREAM, SCHEMA).convert({"amount": amount, "name": "1", "level": 1})
    assert Decimal(converted["amount"]) == amount
    assert PLAIN.fullmatch(converted["amount"])
    assert {**converted, "amount": None} == {"amount": None, "name": "1", "level": 1}


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (Decimal("0E-7"), "0.0000000"),
        (Decimal("1E+2"), "100"),
        (Decimal("0.1000000000000"), "0.1000000000000"),  # the last zero is the 13th decimal
        (4.0, "4.000000000000"),
        (0.1 + 0.2, "0.300000000000"),
        (12345678901234567890, "12345678901234567890"),
        (None, None),
        ("text of a stream map", "text of a stream map"),
    ],
)
def test_a_number_is_text(number: Any, text: str | None) -> None:
    assert Decimals(STREAM, SCHEMA).convert({"amount": number}) == {"amount": text}


@pytest.mark.parametrize("number", ["1E-13", "1E+26", "-1E+26", "1.0000000000001"])
def test_a_number_that_would_lose_digits_is_refused(number: str) -> None:
    with pytest.raises(TapError, match=f"^{STREAM}: amount has more than 26 digits"):
        Decimals(STREAM, SCHEMA).convert({"amount": Decimal(number)})


def test_only_numbers_of_the_schema_change() -> None:
    assert Decimals(STREAM, SCHEMA).schema == {
        "properties": {
            **SCHEMA["properties"],
            "amount": {"type": ["string", "null"], "description": "An amount", **DECIMAL},
            "always": {"type": ["string"], **DECIMAL},
        }
    }


def load_everything(sync: Sync, server: Server, **settings: Any) -> Run:
    everything = config(
        server.url,
        account_sid=MAIN_SID,
        auth_token=AUTH_TOKEN,
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        billing_group_ids=BILLING_GROUP_IDS,
        billing_api_url=server.url,
        oauth_token_url=f"{server.url}/v2/token",
        start_date="2025-09-01",
        end_date="2025-09-05",
        focus=True,
        **settings,
    )
    streams = sync(everything, "--discover").catalog
    names = [stream["tap_stream_id"] for stream in streams["streams"]]
    run = sync(everything, catalog=catalog_of(streams, *names))
    assert run.code == 0, run.log
    return run


def test_every_number_of_every_stream_is_text_of_the_same_amount(sync: Sync) -> None:
    with Server(Company(today=date(2025, 9, 10), categories=1)) as server:
        plain = load_everything(sync, server)
        text = load_everything(sync, server, use_singer_decimal=True)
    catalogs = [path.stem for path in (ROOT / "tests" / "catalogs").glob("*.json")]
    assert sorted(text.schemas()) == sorted([*catalogs, "focus_cost_and_usage"])
    amounts = 0
    for stream, message in plain.schemas().items():
        before = message["schema"]["properties"]
        after = text.schemas()[stream]["schema"]["properties"]
        numbers = {name for name, described in before.items() if "number" in described["type"]}
        for name in numbers:
            assert after[name] == {
                **before[name],
                "type": [*before[name]["type"][:-1], "string"],
                **DECIMAL,
            }
        assert {**after, **{name: before[name] for name in numbers}} == before
        rows, rows_of_text = plain.records(stream), text.records(stream)
        assert len(rows) == len(rows_of_text) > 0
        for row, converted in zip(rows, rows_of_text, strict=True):
            given = {name: converted[name] for name in numbers if converted[name] is not None}
            assert all(PLAIN.fullmatch(amount) for amount in given.values())
            amounts += len(given)
            again = {**converted, **{name: Decimal(amount) for name, amount in given.items()}}
            assert {**again, **ANY_TIME} == {**row, **ANY_TIME}
    assert amounts > 1000


def test_stream_maps_see_numbers_and_their_own_numbers_are_text(sync: Sync) -> None:
    maps = {
        STREAM: {
            "__filter__": "counts_in_total and price > 1",
            "twice": "float(price) * 2",
            "words": "str(price)",
            "money": "deduplicated_price",
        }
    }
    with serve(account(DAYS)) as server:
        run = sync(
            config(server.url, end_date="2026-01-02", stream_maps=maps, use_singer_decimal=True)
            | {"skip_unused_categories": False}
        )
    assert [
        (row["category"], row["price"], row["twice"], row["words"], row["money"])
        for row in run.records()
    ] == [
        ("calls-inbound", "2", "4.000000000000", "2", "2"),
        ("sms", "10", "20.000000000000", "1E+1", "10"),
    ]
    properties = run.schemas()[STREAM]["schema"]["properties"]
    assert {name for name, described in properties.items() if described.get("format")} == {
        *("as_of", "start_date", "end_date"),
        *("count", "usage", "price", "deduplicated_price", "twice", "money"),
    }


def test_discovery_is_the_same(sync: Sync) -> None:
    """So that a catalog is valid with and without the setting."""
    with_it, without = (
        sync({"use_singer_decimal": value}, "--discover").catalog for value in (True, False)
    )
    assert with_it == without


def test_a_number_with_too_many_digits_ends_the_run_in_one_line(sync: Sync) -> None:
    def answer(request: Request) -> Answer:
        if not request.path.endswith("Daily.json"):
            return account(DAYS)(request)
        rows = [record("calls", "1", usage="1.0000000000001"), record("totalprice", "1")]
        return Answer(json.dumps(page(rows)).encode())

    with serve(answer) as server:
        settings = config(server.url, end_date="2026-01-01")
        assert sync(settings).code == 0
        run = sync({**settings, "use_singer_decimal": True})
    assert run.code == 1
    assert run.last_line.endswith(
        f"{STREAM}: usage has more than 26 digits before or 12 after the point; "
        "set use_singer_decimal to false"
    )
    assert "Traceback" not in run.log
    assert run.records() == []
