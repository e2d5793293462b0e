"""The bulk writer: it writes the same messages as the SDK."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Run, Sync, config
from tests.faults.conftest import catalog as of_streams
from tests.http_server import Answer, Request, serve
from tests.twilio import Days, account, page, record

STREAM = "usage_records_daily"
DAYS: Days = {
    "2026-01-01": {"calls": "3", "calls-inbound": "2.50", "sms": "1E+1", "totalprice": "14"},
    "2026-01-02": {"sms": "-0.000001", "mms": None, "totalprice": "12345678901234567890.123456"},
    "2026-01-03": {"Überraschung": "1", 'quote"d \\ line\nbreak': "2", "totalprice": "3"},
    "2026-01-04": {"calls": "5"},
}
THE_SDK: dict[str, Any] = {STREAM: {}}  # an empty stream map, so that the SDK writes all records


def nothing(_: list[dict[str, Any]]) -> None:
    """Do not change the catalog."""


def without(*names: str) -> Callable[[list[dict[str, Any]]], None]:
    """Deselect properties."""

    def change(streams: list[dict[str, Any]]) -> None:
        for entry in streams[0]["metadata"]:
            if entry["breadcrumb"] and entry["breadcrumb"][-1] in names:
                entry["metadata"]["selected"] = False

    return change


def unlisted(streams: list[dict[str, Any]]) -> None:
    """Remove a property from the catalog."""
    del streams[0]["schema"]["properties"]["usage_unit"]


def added(streams: list[dict[str, Any]]) -> None:
    """Add a property to the catalog that no record has."""
    streams[0]["schema"]["properties"]["colour"] = {"type": ["string", "null"]}


def with_the_flag(streams: list[dict[str, Any]]) -> None:
    """Add the flag to the catalog, and deselect a property that it needs."""
    streams[0]["schema"]["properties"]["counts_in_total"] = {"type": ["boolean", "null"]}
    without("price")(streams)


def full_table(streams: list[dict[str, Any]]) -> None:
    """Set the replication method FULL_TABLE."""
    streams[0]["replication_method"] = "FULL_TABLE"


def reworded(streams: list[dict[str, Any]]) -> None:
    """Describe the properties as an older version of the tap did."""
    for each in streams[0]["schema"]["properties"].values():
        each["description"] = "older"
        each["type"] = each["type"][::-1]


def run(sync: Sync, change: Any, *, code: int = 0, **settings: Any) -> Run:
    catalog = of_streams(STREAM)
    catalog["streams"] = [each for each in catalog["streams"] if each["tap_stream_id"] == STREAM]
    change(catalog["streams"])
    with serve(account(DAYS)) as server:
        settings = config(server.url, end_date="2026-01-04", **settings)
        done = sync(settings, catalog=catalog, env={"TAP_TWILIO_USAGE_LOGLEVEL": "DEBUG"})
    assert done.code == code
    return done


def messages(done: Run) -> list[Any]:
    """Return all messages without the time at which records were extracted."""
    return [{**message, "time_extracted": None} for message in done.messages]


def counted(done: Run) -> list[str]:
    """Return the record counts of the SDK's metrics."""
    return re.findall(r'"record_count","value":(\d+)', done.log)


@pytest.mark.parametrize(
    "settings",
    [{}, {"skip_unused_categories": False}, {"use_singer_decimal": True}],
    ids=["used", "all", "text"],
)
@pytest.mark.parametrize(
    "change",
    [
        nothing,
        without("description"),
        without("price"),
        without("deduplicated_price", "as_of"),
        unlisted,
        added,
        with_the_flag,
        full_table,
        reworded,
    ],
)
def test_messages_and_metrics_are_the_same_as_those_of_the_sdk(
    sync: Sync,
    change: Any,
    settings: dict[str, Any],
) -> None:
    in_bulk = run(sync, change, **settings)
    by_the_sdk = run(sync, change, **settings, stream_maps=THE_SDK)
    assert messages(in_bulk) == messages(by_the_sdk)
    assert counted(in_bulk) == counted(by_the_sdk) == [f"{len(in_bulk.records())}"]
    # The bulk writer writes one day at a time.
    times = Counter(m["time_extracted"] for m in in_bulk.messages if m["type"] == "RECORD")
    assert len(times) == len(DAYS)


def retyped(streams: list[dict[str, Any]]) -> None:
    """Change the type of a property in the catalog."""
    streams[0]["schema"]["properties"]["description"] = {"type": "boolean"}


def test_the_sdk_writes_records_with_the_types_of_another_catalog(sync: Sync) -> None:
    assert messages(run(sync, retyped)) == messages(run(sync, retyped, stream_maps=THE_SDK))


def with_price_as(kind: str) -> Callable[[list[dict[str, Any]]], None]:
    """Change the type of the price in the catalog."""

    def change(streams: list[dict[str, Any]]) -> None:
        streams[0]["schema"]["properties"]["price"] = {"type": [kind, "null"]}

    return change


@pytest.mark.parametrize("settings", [{}, {"use_singer_decimal": True}], ids=["plain", "text"])
def test_a_number_that_the_catalog_calls_a_string_is_text_with_all_digits(
    sync: Sync, settings: dict[str, Any]
) -> None:
    done = run(sync, with_price_as("string"), **settings)
    assert done.schemas()[STREAM]["schema"]["properties"]["price"]["type"] == ["null", "string"]
    assert [row["price"] for row in done.records()] == [
        *("3", "2.50", "10", "14", "-0.000001"),
        *("12345678901234567890.123456", "2", "3", "1", "5"),
    ]


def test_a_number_that_the_catalog_calls_an_integer_is_refused_if_it_is_a_fraction(
    sync: Sync,
) -> None:
    done = run(sync, with_price_as("integer"), code=1)
    assert done.last_line.endswith(
        f"{STREAM}: the catalog says that price is an integer, but it is 2.50; use number or string"
    )
    assert "Traceback" not in done.log


def test_records_keep_all_digits_and_characters(sync: Sync) -> None:
    rows = {(r["start_date"], r["category"]): r for r in run(sync, nothing).records()}
    assert rows["2026-01-02", "totalprice"]["price"].as_tuple().exponent == -6
    assert f"{rows['2026-01-02', 'totalprice']['price']}" == "12345678901234567890.123456"
    assert rows["2026-01-03", "Überraschung"]["price"] == 1
    assert rows["2026-01-03", 'quote"d \\ line\nbreak']["price"] == 2


@pytest.mark.parametrize(
    "settings",
    [
        {"stream_maps": {STREAM: {"__alias__": "renamed"}}},
        {"flattening_enabled": True, "flattening_max_depth": 1},
    ],
)
def test_the_sdk_writes_records_that_stream_maps_or_flattening_change(
    sync: Sync, settings: dict[str, Any]
) -> None:
    records = [m for m in run(sync, nothing, **settings).messages if m["type"] == "RECORD"]
    assert len({m["time_extracted"] for m in records}) == len(records)


@pytest.mark.parametrize(
    ("fields", "read"),
    [
        ({"price": 2.5, "count": 3, "usage": 1e3}, {"price": "2.5", "count": "3", "usage": "1E+3"}),
        ({"colour": "red"}, {"price": "2.50"}),
        ({"description": "Überraschung"}, {"description": "Überraschung"}),
        ({"uri": None, "subresource_uris": None, "as_of": ""}, {"as_of": "None"}),
    ],
)
def test_undocumented_forms_of_records_are_read(
    sync: Sync, fields: dict[str, Any], read: dict[str, str]
) -> None:
    def answer(request: Request) -> Answer:
        if not request.path.endswith("Daily.json"):
            return account(DAYS)(request)
        rows = [record("calls", "5"), record("sms", "2.50") | fields, record("totalprice", "7.5")]
        return Answer(json.dumps(page(rows)).replace("1000.0", "1E+3").encode())

    with serve(answer) as server:
        done = sync(config(server.url, end_date="2026-01-01"))
    rows = {row["category"]: row for row in done.records()}
    assert {name: f"{rows['sms'][name]}" for name in read} == read
    assert rows["calls"]["deduplicated_price"] == 5
    assert rows["sms"]["deduplicated_price"] == rows["sms"]["price"]
    assert ("field 'colour' is new to this version" in done.log) == ("colour" in fields)
