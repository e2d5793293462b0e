"""What the rows of one account and period get from the table and from each other."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import pytest

from tap_twilio_usage.money.enrich import attribute, overshoot
from tap_twilio_usage.money.usage_record import UsageRecord
from tests.test_dedup import prices
from tests.test_focus import usage_record


def rows_of(day: Mapping[str, Decimal | None]) -> list[UsageRecord]:
    """Return attributed rows that all have the same count and usage."""
    return attribute(usage_record(category, price) for category, price in day.items())


def test_rows_are_compared_by_their_count_and_usage() -> None:
    day = prices(totalprice="9", calls="4", carrier__lookups="5", sim__swap__lookups="5")
    rows = {row.category: row for row in rows_of(day)}
    assert rows["sim-swap-lookups"].dedup_role == "overlap"
    assert rows["totalprice"].deduplicated_price == 0


def test_a_row_of_an_overlap_names_the_roll_up_of_its_family() -> None:
    rows = rows_of(prices(totalprice="1", authy__sms__outbound="1", sms__outbound="1"))
    assert [row.parent_category for row in rows] == [None, "account-security", "sms"]


@pytest.mark.parametrize(
    ("day", "excess"),
    [
        ({"totalprice": "4", "calls": "4", "calls-client": "5"}, 5),
        ({"totalprice": "-4", "calls": "-4", "calls-client": "-5"}, 5),
        ({"totalprice": "9", "calls": "4"}, None),
        ({"totalprice": "-9", "calls": "-4"}, None),
        ({"totalprice": "0", "calls": "-4"}, 4),
        ({"totalprice": "4", "calls": "5", "calls-client": "-1"}, None),
        ({"totalprice": "3.9999", "calls": "4"}, None),
        ({"calls": "4"}, None),
    ],
)
def test_rows_that_hold_more_than_their_total_are_found_for_charges_and_refunds(
    day: dict[str, str], excess: int | None
) -> None:
    assert overshoot(rows_of(prices(**day))) == excess
