"""The settings of target-postgres in meltano.yml, and what it does with rows."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from tap_twilio_usage.streams.usage_records import SCHEMA as COLUMNS
from tests.conftest import ROOT, SCHEMA, Meltano, Query

STREAM = "usage_records_daily"
KEY = ["account_sid", "category", "start_date"]
ODD = 'quote"d \\ \\N line\nbreak\ttab, Überraschung'


def record(category: str, **fields: Any) -> dict[str, Any]:
    day = {"account_sid": "AC1", "category": category, "start_date": "2026-01-01"}
    return {"type": "RECORD", "stream": STREAM, "record": {**day, **fields}}


def test_the_settings_are_those_of_the_page() -> None:
    loaders = yaml.safe_load((ROOT / "meltano.yml").read_text())["plugins"]["loaders"]
    settings = {setting["name"]: setting.get("value") for setting in loaders[0]["settings"]}
    page = (ROOT / "docs" / "warehouse.md").read_text()
    (table,) = re.findall(r"(?m)^\| setting \| value \| reason \|\n((?:\|.*\n)+)", page)
    named = {
        name: json.loads(value) for name, value in re.findall(r"\| `(\w+)` \| `(.+?)` \|", table)
    }
    assert len(named) == 4
    assert named == {name: settings[name] for name in named}


@pytest.mark.nightly
def test_rows_keep_every_digit_and_character_and_the_last_one_of_a_key_wins(
    meltano: Meltano, query: Query, tmp_path: Path
) -> None:
    schema = {"type": "SCHEMA", "stream": STREAM, "schema": COLUMNS, "key_properties": KEY}
    amount = "12345678901234567890.123456789012"
    lines = [
        json.dumps(line).replace('"AMOUNT"', amount).replace('"TINY"', "1E-12")
        for line in (
            schema,
            record("calls", price=1, deduplicated_price=1, description="first"),
            record(ODD, price="AMOUNT", deduplicated_price="TINY", description=""),
            record("calls", price=2, deduplicated_price=None, includes_subaccounts=True),
        )
    ]
    messages = tmp_path / "messages.jsonl"
    messages.write_text("\n".join(lines))
    settings = {"TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA": SCHEMA}
    for _ in range(2):
        with meltano.call(
            "invoke", "target-postgres", "--input", f"{messages}", **settings
        ) as process:
            log, _ = process.communicate(timeout=120)
        assert process.returncode == 0, log
        assert query(
            "SELECT category, description, price, deduplicated_price, includes_subaccounts "
            f"FROM {STREAM} ORDER BY price"
        ) == [
            ("calls", None, Decimal(2), None, True),
            (ODD, "", Decimal(amount), Decimal("1E-12"), None),
        ]
