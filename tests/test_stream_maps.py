"""Stream maps: they work as the SDK documents, and can use the flag `counts_in_total`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Run, Sync, config
from tests.faults.conftest import catalog as of_streams
from tests.http_server import serve
from tests.twilio import account

DAYS = {
    "2026-01-01": {"calls": "3", "calls-inbound": "2", "sms": "1", "mms": "0", "totalprice": "4"},
    "2026-01-02": {"sms": "0", "totalprice": "0"},
}
STREAM = "usage_records_daily"


@pytest.fixture
def mapped(sync: Sync) -> Any:
    def run(stream_maps: dict[str, Any] | None = None, **settings: Any) -> Run:
        if stream_maps is not None:
            settings["stream_maps"] = stream_maps
        with serve(account(DAYS)) as server:
            return sync(config(server.url, end_date="2026-01-02", **settings))

    return run


def properties(run: Run, stream: str = STREAM) -> dict[str, Any]:
    found: dict[str, Any] = run.schemas()[stream]["schema"]["properties"]
    return found


def test_the_flag_is_a_boolean_in_the_schema_and_true_where_the_whole_price_counts(
    mapped: Any,
) -> None:
    run = mapped()
    assert properties(run)["counts_in_total"]["type"] == ["null", "boolean"]
    first = [r for r in run.records() if r["start_date"] == "2026-01-01"]
    assert {r["category"]: r["counts_in_total"] for r in first} == {
        "calls": False,
        "calls-inbound": True,
        "sms": True,
        "totalprice": False,
    }
    assert {r["counts_in_total"] for r in run.records() if not r["price"]} == {False}


def test_the_flag_of_a_category_is_true_for_a_leaf(mapped: Any) -> None:
    run = mapped()
    assert properties(run, "categories")["counts_in_total"]["type"] == ["null", "boolean"]
    assert {r["role"]: r["counts_in_total"] for r in run.records("categories")} == {
        "total": False,
        "rollup": False,
        "leaf": True,
        "overlap": False,
    }


def test_schemas_are_those_of_the_catalog_with_null_first_and_without_a_draft(
    mapped: Any, sync: Sync
) -> None:
    """Also where a stream map adds a property."""
    run = mapped({STREAM: {"twice": "float(price) * 2"}}, focus=True)
    assert {*run.schemas()} > {STREAM, "categories", "focus_cost_and_usage"}
    for message in run.schemas().values():
        assert "$schema" not in message["schema"]
        for described in message["schema"]["properties"].values():
            assert described["type"][:-1] in ([], ["null"])
    streams = sync(None, "--discover").catalog["streams"]
    (own,) = (each["schema"] for each in streams if each["stream"] == STREAM)
    schema = run.schemas()[STREAM]["schema"]
    for added in ("twice", "counts_in_total"):
        del schema["properties"][added]
    assert schema["required"] == own["required"]
    assert schema["properties"] == {
        name: {**described, "type": described["type"][::-1]}
        for name, described in own["properties"].items()
    }


def test_the_flag_is_not_in_the_catalog(sync: Sync) -> None:
    assert "counts_in_total" not in sync(None, "--discover").out


def test_a_filter_can_use_the_flag(mapped: Any) -> None:
    run = mapped({STREAM: {"__filter__": "counts_in_total"}})
    assert [r["category"] for r in run.records()] == ["calls-inbound", "sms"]


def test_properties_can_be_added_renamed_and_dropped(mapped: Any) -> None:
    run = mapped(
        {
            STREAM: {
                "is_counted": "counts_in_total",
                "counts_in_total": None,
                "twice": "float(price) * 2",
                "money": "deduplicated_price",
                "deduplicated_price": "__NULL__",
            }
        }
    )
    kinds = {name: schema["type"] for name, schema in properties(run).items()}
    assert kinds["is_counted"] == ["null", "boolean"]
    assert kinds["money"] == ["null", "number"]
    assert not {"counts_in_total", "deduplicated_price"} & kinds.keys()
    row = next(r for r in run.records() if r["category"] == "calls-inbound")
    assert (row["is_counted"], row["twice"], row["money"]) == (True, 4, 2)
    assert not {"counts_in_total", "deduplicated_price"} & row.keys()


def test_the_flag_can_be_replaced(mapped: Any) -> None:
    run = mapped({STREAM: {"counts_in_total": "bool(price)"}})
    assert next(r for r in run.records() if r["category"] == "calls")["counts_in_total"] is True


def test_an_alias_renames_the_stream(mapped: Any) -> None:
    run = mapped({STREAM: {"__alias__": "spend"}})
    assert STREAM not in run.schemas()
    assert "counts_in_total" in properties(run, "spend")
    assert [r["counts_in_total"] for r in run.records("spend")].count(True) == 2


def test_a_source_adds_a_second_stream(mapped: Any) -> None:
    leaves = {"__source__": STREAM, "__filter__": "counts_in_total", "price": None}
    run = mapped({"leaves": leaves})
    assert [r["category"] for r in run.records("leaves")] == ["calls-inbound", "sms"]
    assert "price" not in properties(run, "leaves")
    assert "counts_in_total" in properties(run, "leaves")
    assert "counts_in_total" in properties(run)
    assert len(run.records()) == 6


def test_the_key_can_be_changed(mapped: Any) -> None:
    run = mapped({STREAM: {"id": "md5(category)", "__key_properties__": ["id", "start_date"]}})
    assert run.schemas()[STREAM]["key_properties"] == ["id", "start_date"]
    assert all(len(r["id"]) == 32 for r in run.records())
    assert "counts_in_total" in properties(run)


def test_else_null_keeps_the_key_and_the_named_properties(mapped: Any) -> None:
    run = mapped({STREAM: {"counts_in_total": "counts_in_total", "__else__": None}})
    named = {"account_sid", "category", "start_date", "counts_in_total"}
    assert all(r.keys() == named for r in run.records())
    assert properties(run).keys() == named
    assert properties(run)["counts_in_total"]["type"] == ["null", "boolean"]


def test_else_null_keeps_a_key_that_the_user_has_set(mapped: Any) -> None:
    key = {"id": "md5(category)", "__key_properties__": ["id", "start_date"]}
    run = mapped({STREAM: {**key, "__else__": None}})
    assert all(r.keys() == {"id", "start_date"} for r in run.records())


def test_else_null_for_all_streams_keeps_the_named_ones(mapped: Any) -> None:
    run = mapped({STREAM: {}, "__else__": None})
    assert run.schemas().keys() == {STREAM}
    assert run.records("categories") == []
    assert "counts_in_total" in properties(run)


def test_a_stream_can_be_dropped(mapped: Any) -> None:
    assert "categories" not in mapped({"categories": None}).schemas()


def test_a_wildcard_maps_all_streams(mapped: Any) -> None:
    run = mapped({"*": {"__filter__": "counts_in_total"}})
    assert {r["counts_in_total"] for s in run.schemas() for r in run.records(s)} == {True}


def test_flattening_keeps_the_flag(mapped: Any) -> None:
    run = mapped(flattening_enabled=True, flattening_max_depth=2)
    assert run.code == 0
    assert "counts_in_total" in properties(run)
    assert "counts_in_total" in run.records()[0]


def test_a_null_operand_is_an_error_of_one_line(mapped: Any) -> None:
    run = mapped({STREAM: {"__filter__": "count > 1"}})
    assert run.code == 1
    assert "stream_maps: usage_records_daily:" in run.last_line
    assert "Traceback" not in run.log


@pytest.mark.parametrize("deselected", ["price", "deduplicated_price"])
def test_there_is_no_flag_without_the_properties_that_it_needs(sync: Sync, deselected: str) -> None:
    with serve(account(DAYS)) as server:
        settings = config(server.url, end_date="2026-01-02")
        catalog = of_streams(STREAM)
        entries = next(s for s in catalog["streams"] if s["stream"] == STREAM)["metadata"]
        for entry in entries:
            if entry["breadcrumb"] == ["properties", deselected]:
                entry["metadata"]["selected"] = False
        run = sync(settings, catalog=catalog)
    assert run.code == 0
    assert not {deselected, "counts_in_total"} & properties(run).keys()
    assert all(not {deselected, "counts_in_total"} & r.keys() for r in run.records())


def test_a_selection_of_the_columns_of_focus_leaves_the_others_as_they_are(mapped: Any) -> None:
    stream = "focus_cost_and_usage"
    whole, part = mapped(focus=True), mapped({stream: {"RegionId": None}}, focus=True)
    assert {*properties(whole, stream)} - {*properties(part, stream)} == {"RegionId"}
    rows = [{**row, "RegionId": None} for row in part.records(stream)]
    assert rows == whole.records(stream)
    assert len(rows) == 3
