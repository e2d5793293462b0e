"""Subaccounts that earlier runs have read and that Twilio's list lacks now."""

from __future__ import annotations

import logging
from datetime import date
from typing import Any

import pytest

from tap_twilio_usage.config.settings import Settings, Shard
from tap_twilio_usage.errors import TapError
from tap_twilio_usage.logs.redaction import Redactor
from tap_twilio_usage.streams.session import Session
from tap_twilio_usage.sync.state import AccountContext, AccountState
from tests.clients import FAST, LOGGER
from tests.http_server import Answer, serve
from tests.twilio import TOKEN

TODAY = date(2026, 3, 10)
MAIN, *SUBACCOUNTS = (f"AC{number:032}" for number in range(8))
GONE = SUBACCOUNTS[0]
STREAMS = ("usage_records_daily", "usage_records_monthly", "usage_reconciliation")


def part(sid: str, **fields: Any) -> AccountState:
    fields = {"main_account_sid": MAIN, "first_day": date(2025, 1, 1), **fields}
    return AccountState(context=AccountContext(sid, includes_subaccounts=False), **fields)


def said(
    caplog: pytest.LogCaptureFixture,
    states: dict[str, list[AccountState]],
    *,
    listed: tuple[str, ...] = (MAIN,),
    **settings: Any,
) -> list[str]:
    """Find the accounts, twice; return the warnings."""
    caplog.set_level(logging.INFO, LOGGER.name)
    accounts = {"accounts": [{"sid": sid} for sid in listed], "next_page_uri": None}
    with serve(lambda _: Answer.json(accounts)) as server:
        config = {
            "account_sid": MAIN,
            "auth_token": TOKEN,
            "subaccounts": "separate",
            "page_size": 50,
            "max_concurrent_requests": 1,
            **dict.fromkeys(("api_url", "billing_api_url", "oauth_token_url"), server.url),
            **settings,
        }
        session = Session(
            Settings.from_config(config),
            redactor=Redactor([]),
            logger=LOGGER,
            limits=FAST,
            today=lambda: TODAY,
        )
        for stream, partitions in states.items():
            session.state.usage(stream).partitions = partitions
        for _ in STREAMS:
            session.fetch_accounts()
    if session.failures:
        with pytest.raises(TapError, match="account_sids names this account"):
            session.failures.end()
    return [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]


def line(accounts: str) -> str:
    return (
        f"Twilio no longer lists some accounts, so these days are not loaded: {accounts}; add an "
        "account that was closed to exclude_account_sids"
    )


def test_it_is_named_once_with_the_last_day_that_any_stream_has(
    caplog: pytest.LogCaptureFixture,
) -> None:
    days = (date(2026, 3, 4), date(2026, 3, 1), date(2026, 3, 1))
    states = {stream: [part(GONE, bookmark=day)] for stream, day in zip(STREAMS, days, strict=True)}
    assert said(caplog, states) == [line(f"{GONE} since 2026-03-04")]


def test_an_account_that_is_listed_is_not_named(caplog: pytest.LogCaptureFixture) -> None:
    """Also a suspended or closed one: it is read as long as Twilio lists it."""
    states = {STREAMS[0]: [part(MAIN, main_account_sid=None), part(GONE, bookmark=TODAY)]}
    assert said(caplog, states, listed=(MAIN, GONE)) == []


def test_many_are_one_warning_and_the_others_are_named_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    states = {STREAMS[0]: [part(sid, bookmark=TODAY) for sid in SUBACCOUNTS]}
    named = ", ".join(f"{sid} since 2026-03-10" for sid in SUBACCOUNTS[:3])
    assert said(caplog, states) == [line(f"{named}, and 4 more")]
    for sid in SUBACCOUNTS[3:]:
        assert f"Twilio no longer lists {sid} since 2026-03-10" in caplog.messages


@pytest.mark.parametrize(
    ("fields", "since"),
    [
        ({"bookmark": date(2026, 3, 4), "last_rows": date(2026, 2, 1)}, "2026-03-04"),
        ({"last_rows": date(2026, 3, 3)}, "2026-03-03"),  # a stream such as `Today`
        ({}, "2025-01-01"),  # its first load was cut off
        ({"first_day": None}, "the start"),
        # With `rolled_up` in between, its rows were set to zero, and not loaded again since.
        ({"withdrawn": TODAY, "last_day": TODAY, "last_rows": TODAY}, "2025-01-01"),
        ({"last_day": TODAY, "last_rows": TODAY}, "2025-01-01"),
    ],
)
def test_since_when_its_days_are_not_loaded(
    caplog: pytest.LogCaptureFixture, fields: dict[str, Any], since: str
) -> None:
    assert said(caplog, {STREAMS[0]: [part(GONE, **fields)]}) == [line(f"{GONE} since {since}")]


def test_an_account_that_the_settings_leave_out_is_not_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    states = {STREAMS[0]: [part(GONE, bookmark=TODAY)]}
    assert said(caplog, states, exclude_account_sids=[GONE]) == []
    assert said(caplog, states, account_sids=[MAIN]) == []
    for subaccounts in ("rolled_up", "excluded"):
        assert said(caplog, states, subaccounts=subaccounts) == []


def test_an_account_in_account_sids_is_a_failure_and_no_second_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    (warning,) = said(caplog, {STREAMS[0]: [part(GONE, bookmark=TODAY)]}, account_sids=[GONE])
    assert warning.startswith(f"{GONE} failed and keeps its bookmark")


def test_each_shard_names_its_own_accounts(caplog: pytest.LogCaptureFixture) -> None:
    """Even if its state has accounts of other shards, as after a change of their number."""
    states = {STREAMS[0]: [part(sid, bookmark=TODAY) for sid in SUBACCOUNTS]}
    for shard in (Shard(1, 4), Shard(2, 4), Shard(3, 4), Shard(4, 4)):
        caplog.clear()
        own = [sid for sid in SUBACCOUNTS if shard.has(sid)]
        warnings = said(caplog, states, shard=f"{shard}")
        assert len(warnings) == (1 if own else 0)
        assert {sid for sid in SUBACCOUNTS if sid in caplog.text} == {*own}


def test_an_account_of_another_company_in_the_state_is_not_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    other = f"AC{99:032}"
    states = {STREAMS[0]: [part(other, main_account_sid=None), part(GONE, main_account_sid=other)]}
    assert said(caplog, states) == []
