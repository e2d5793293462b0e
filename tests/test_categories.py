"""The stream `categories`, and its table."""

from __future__ import annotations

import csv

from hypothesis import given
from hypothesis import strategies as st

from tap_twilio_usage.money.hierarchy import TOTAL, shipped
from tests.conftest import ROOT, Sync, config
from tests.http_server import serve
from tests.twilio import account

ALL_TIME = {
    "calls": "1",
    "Usage-RCS-Messages": "2",
    "calls-satellite": "3",
    "calls-satellite-minutes": "3",
    "quantum": "4",
    "totalprice": "9",
}


def test_the_table_is_joined_with_the_categories_of_the_account(sync: Sync) -> None:
    with serve(account({}, all_time=ALL_TIME)) as server:
        run = sync(config(server.url, end_date="2026-01-01"))
    rows = {r["category"]: r for r in run.records("categories")}
    assert run.schemas()["categories"]["key_properties"] == ["category"]
    assert len(rows) == len(shipped().categories) + 3
    assert "usage-rcs-messages" not in rows
    assert {r["category"] for r in rows.values() if r["is_reported"]} == ALL_TIME.keys()
    assert rows["calls"] == {
        "category": "calls",
        "description": "Calls",
        "parent_category": "totalprice",
        "also_included_in": [],
        "service": "Voice",
        "level": 1,
        "role": "rollup",
        "billing_kind": "usage",
        "count_unit": None,
        "usage_unit": "units",
        "is_known": True,
        "is_reported": True,
        "confidence": "high",
        "counts_in_total": False,
    }
    assert rows["Usage-RCS-Messages"]["is_known"] is True
    overlap = rows["authy-sms-outbound"]
    assert (overlap["role"], overlap["level"]) == ("overlap", 2)
    assert overlap["parent_category"] == "account-security"
    assert overlap["also_included_in"] == ["sms-outbound"]
    assert rows["verify-voice-sms"]["parent_category"] == "authy-phone-verifications"
    assert rows["sms"]["description"] == "SMS"
    unknown = {c: r for c, r in rows.items() if not r["is_known"]}
    assert unknown.keys() == {"calls-satellite", "calls-satellite-minutes", "quantum"}
    assert [
        (r["parent_category"], r["level"], r["role"], r["service"], r["confidence"])
        for r in unknown.values()
    ] == [
        ("calls", 2, "rollup", "Other", "inferred"),
        ("calls-satellite", 3, "leaf", "Other", "inferred"),
        ("totalprice", 1, "leaf", "Other", "inferred"),
    ]


def test_all_time_is_requested_once_for_all_streams(sync: Sync) -> None:
    with serve(account({}, all_time=ALL_TIME)) as server:
        sync(config(server.url, end_date="2026-01-01"))
    assert server.paths().count("AllTime.json") == 1


def test_the_table_is_a_sorted_tree_with_every_parent_in_it() -> None:
    categories = shipped().categories
    assert len(categories) == 650
    assert list(categories) == sorted(categories)
    assert [c for c, row in categories.items() if row.parent is None] == [TOTAL]
    for name, row in categories.items():
        assert name == name.strip().lower()
        assert row.parent is None or row.parent in categories
        assert all(other in categories for other in row.also_included_in)
        assert row.confidence in {"high", "medium", "low"}
        assert chain(name)[-1] == TOTAL
        assert shipped().level(name) == len(chain(name)) - 1


# What the evidence of a row can be; CONTRIBUTING.md explains each.
EVIDENCE = {
    "real account numbers",
    "Twilio Console usage tree",
    "documented by Twilio",
    "name prefix",
    "inferred from the name",
    "twin in real account numbers",
    "twin by name",
    "overlap by analogy",
    "none",
}


def evidence() -> dict[str, str]:
    with (ROOT / "tap_twilio_usage" / "data" / "categories.csv").open(encoding="utf-8") as file:
        return {row["category"]: row["evidence"] for row in csv.DictReader(file)}


def chain(name: str) -> list[str]:
    """Return the category and all its ancestors; fail if there is a cycle."""
    names = [name]
    while parent := shipped().parent(names[-1]):
        assert parent not in names
        names.append(parent)
    return names


def test_contributing_explains_the_evidence_of_every_row() -> None:
    assert set(evidence().values()) == EVIDENCE
    contributing = (ROOT / "CONTRIBUTING.md").read_text()
    assert {text for text in EVIDENCE if f"`{text}`" in contributing} == EVIDENCE


def test_an_overlap_repeats_another_family_and_is_part_of_its_own() -> None:
    categories = shipped().categories
    rests_on = evidence()
    for name in shipped().overlaps:
        for other in categories[name].also_included_in:
            assert other not in chain(name)
            assert name not in chain(other)
        assert (categories[name].confidence == "high") == (rests_on[name] != "overlap by analogy")
    assert {c for c, text in rests_on.items() if text == "overlap by analogy"} < shipped().overlaps


def test_twins_have_one_service_and_a_high_confidence_only_with_real_numbers() -> None:
    categories = shipped().categories
    for name, text in evidence().items():
        if text.startswith("twin"):
            parent = categories[str(categories[name].parent)]
            assert parent.service == categories[name].service
            assert (categories[name].confidence == "low") == (text == "twin by name")


NAMES = st.lists(st.sampled_from(["a", "b", "cc"]), min_size=1, max_size=4).map("-".join)


@given(NAMES, st.sets(NAMES))
def test_an_unknown_category_always_has_a_place(name: str, reported: set[str]) -> None:
    parent = shipped().parent(name, reported)
    assert parent is not None
    assert parent == TOTAL or name.startswith(parent + "-")
    level = shipped().level(name, reported)
    assert level >= 1
