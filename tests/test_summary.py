"""The log of a healthy run: short, without noise, and with a summary that is true."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Iterator
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from sandbox import AUTH_TOKEN, MAIN_SID, Company, Server
from tap_twilio_usage.logs.summary import Summary
from tests.conftest import Run, Sync, config
from tests.http_server import Answer, Request, serve
from tests.noise import NOISE
from tests.twilio import account

MOST_LINES = 6


@pytest.fixture
def settings() -> Iterator[dict[str, Any]]:
    """Return settings for a company without anything unusual."""
    company = Company(
        since=date(2025, 8, 1),
        today=date(2025, 8, 31),
        categories=1,
        new_category_from=date(2025, 9, 15),
    )
    with Server(company) as server:
        yield config(
            server.url,
            account_sid=MAIN_SID,
            auth_token=AUTH_TOKEN,
            start_date="2025-08-01",
            end_date="2025-08-31",
        )


def said(run: Run) -> list[str]:
    """Return the lines of the log without time, level and logger."""
    assert run.code == 0, run.log
    return [line.split(" | ", 3)[-1] for line in run.log.splitlines()]


def summary(run: Run) -> list[str]:
    lines = said(run)
    (begin,) = (number for number, line in enumerate(lines) if line.startswith("done in "))
    return lines[begin:]


def test_a_healthy_first_run_is_read_in_a_minute(
    installed_command: Sync, settings: dict[str, Any]
) -> None:
    run = installed_command(settings)
    assert not [noise for noise in NOISE if noise in run.log]
    assert len(said(run)) <= 12
    done, days, money, *others, warnings = summary(run)
    rows = {name: len(run.records(name)) for name in run.schemas()}
    by_stream = ", ".join(
        f"{name} {rows[name]:,}"
        for name in ("usage_records_daily", "categories", "usage_reconciliation")
    )
    assert done.endswith(f" s: {sum(rows.values()):,} rows ({by_stream})")
    daily = f"{rows['usage_records_daily']:,} rows"
    assert days.startswith(f"usage_records_daily: 1 account, 31 days, {daily} in ")
    total = sum(row["price"] for row in run.records() if row["category"] == "totalprice")
    assert money.startswith(f"usage_records_daily: usd: totalprice {total:,f}, deduplicated ")
    assert (others, warnings) == ([], "no warnings")


def test_metrics_are_logged_on_demand(sync: Sync, settings: dict[str, Any]) -> None:
    run = sync(settings, env={"TAP_TWILIO_USAGE_METRICS": "true"})
    assert '"metric":"record_count"' in run.log
    assert "Skipping" not in run.log
    run = sync(settings, env={"TAP_TWILIO_USAGE_LOGLEVEL": "DEBUG"})
    assert not [noise for noise in ("METRIC", "Skipping", "Beginning") if noise not in run.log]


def test_warnings_and_retries_are_counted(sync: Sync) -> None:
    refused = [Answer.error(503, 20503, Retry_After="0")] * 2
    good = account({"2026-01-01": {"quantum": "1", "photons": "1", "totalprice": "2"}})

    def answer(request: Request) -> Answer:
        is_page = request.path.endswith("Daily.json")
        return refused.pop() if is_page and refused else good(request)

    with serve(answer) as server:
        run = sync(config(server.url, end_date="2026-01-01"))
    lines = summary(run)
    assert len(lines) == MOST_LINES
    *_, new, retried, warnings = lines
    assert "spend in categories that are new to this version: 'photons' 1 usd, 'quantum' 1" in new
    assert retried == "2 requests retried"
    logged = [line for line in run.log.splitlines() if "| WARNING" in line and "; try " not in line]
    assert warnings == f"look at {len(logged)} warnings above"
    assert len(logged) > 1


def test_rows_of_focus_and_of_batches_are_counted(
    sync: Sync, settings: dict[str, Any], tmp_path: Path
) -> None:
    run = sync({**settings, "focus": True})
    focus = len(run.records("focus_cost_and_usage"))
    assert f"focus_cost_and_usage {focus:,}" in summary(run)[0]
    batches = {
        "encoding": {"format": "jsonl", "compression": "gzip"},
        "storage": {"root": f"file://{tmp_path}"},
    }
    run = sync({**settings, "batch_config": batches})
    files = chain.from_iterable(
        message["manifest"] for message in run.messages if message["type"] == "BATCH"
    )
    paths = [Path(name.removeprefix("file://")) for name in files]
    written = sum(gzip.decompress(path.read_bytes()).count(b"\n") for path in paths)
    assert f": {written:,} rows (" in summary(run)[0]


def test_warnings_and_errors_of_the_run_are_counted() -> None:
    logger = logging.getLogger("summary")
    found = Summary(clock=iter([0.0, 7200.0]).__next__)
    with found.of(logger):
        logger.getChild("stream").warning("%s", "one")
        logger.error("another")
        logger.info("nothing")
        logger.warning("%s; try %d after %.1f s", "a request", 2, 1.5)
    logger.warning("too late")
    assert [*found.lines({}, [], 0)] == ["done in 2.0 h: 0 rows", "look at 2 warnings above"]
