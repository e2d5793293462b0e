"""Case 44: the report without a `totalprice`, or with zeros only."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import text_of
from tests.reports import a_day, charge, duckdb_of, failure, written


def test_a_warehouse_without_rows_or_spend_ends_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = duckdb_of([], tmp_path / "empty.duckdb")
    assert failure(capsys, "--url", empty).endswith("usage_records_daily is empty; load it first")
    zero = duckdb_of([charge("2026-01-01", "totalprice", "0")], tmp_path / "zero.duckdb")
    assert failure(capsys, "--url", zero) == (
        "report: the warehouse has no spend in these days; load them, or use an earlier --since"
    )


def test_rows_without_a_total_are_one_line_or_said_on_the_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    untold = [
        charge("2026-01-01", "calls", "5")._replace(deduplicated=None),
        charge("2026-01-01", "totalprice", "0")._replace(price=None, deduplicated=None),
    ]
    for number, rows in enumerate((untold[:1], untold)):
        url = duckdb_of(rows, tmp_path / f"{number}.duckdb")
        assert failure(capsys, "--url", url) == (
            "report: no day has a totalprice with a price, so nothing is deduplicated; load the "
            "days again"
        )
    euros = [row._replace(unit="EUR") for row in untold]
    url = duckdb_of([*a_day("2026-01-01", "9"), *euros], tmp_path / "both.duckdb")
    page = text_of(written(url, tmp_path))
    assert "1 day of account …1111 does not add up to Twilio's total." in page
    assert "1 Jan 2026 account …1111 €0.00 " in page
