"""`accounts` and `usage_triggers`: Twilio's lists, without secrets."""

from __future__ import annotations

import time
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

import pytest

from sandbox import AUTH_TOKEN, MAIN_SID, Company, Server
from tap_twilio_usage.money.parsers import mail_date
from tests.conftest import Run, Sync, config
from tests.faults.conftest import catalog as of_streams
from tests.http_server import Answer, Request, serve
from tests.twilio import SID

SINCE = date(2025, 1, 1)


@pytest.fixture
def server() -> Any:
    with Server(Company(since=SINCE, today=date(2025, 8, 15))) as running:
        yield running


def load(sync: Sync, url: str, stream: str, **settings: Any) -> Run:
    catalog = of_streams(stream)
    credentials = {"account_sid": MAIN_SID, "auth_token": AUTH_TOKEN, "api_url": url}
    return sync({**credentials, **settings}, catalog=catalog)


def test_accounts_are_complete_and_contain_no_auth_token(sync: Sync, server: Server) -> None:
    run = load(sync, server.url, "accounts", page_size=2)
    assert run.code == 0
    rows = {row["account_sid"]: row for row in run.records("accounts")}
    assert rows.keys() == {account.sid for account in server.company.accounts()}
    assert {row["status"] for row in rows.values()} == {"active", "suspended", "closed"}
    assert rows[MAIN_SID] == {
        "account_sid": MAIN_SID,
        "friendly_name": server.company.accounts()[0].friendly_name,
        "status": "active",
        "type": "Full",
        "owner_account_sid": MAIN_SID,
        "date_created": "2025-01-01T00:00:00+00:00",
        "date_updated": "2025-01-01T00:00:00+00:00",
    }
    assert "auth-token" not in run.out + run.log
    assert "auth_token" not in run.out


def test_a_usage_trigger_of_another_account_is_an_error(sync: Sync, server: Server) -> None:
    def answer(request: Request) -> Answer:
        page = server.get(request.path, dict(request.query), request.headers.get("Authorization"))
        return Answer(page.replace(b'"account_sid": "AC0', b'"account_sid": "AC1'))

    with serve(answer) as elsewhere:
        run = load(sync, elsewhere.url, "usage_triggers")
    assert run.code == 1
    assert f"a usage trigger is of another account than {MAIN_SID}" in run.last_line
    assert run.records() == []


def test_usage_triggers_have_twilios_fields_except_the_uris(sync: Sync, server: Server) -> None:
    run = load(sync, server.url, "usage_triggers", page_size=2)
    assert run.code == 0
    budget, calls, sms = run.records("usage_triggers")
    days = [date(2025, 8, n) for n in range(1, 16)]
    assert budget == {
        "account_sid": MAIN_SID,
        "sid": "UT" + "0" * 31 + "1",
        "api_version": "2010-04-01",
        "callback_method": "POST",
        "callback_url": "https://example.com/alert",
        "current_value": sum((server.company.total(day) for day in days), Decimal(0)),
        "date_created": "2025-01-01T00:00:00+00:00",
        "date_fired": None,
        "date_updated": "2025-01-01T00:00:00+00:00",
        "friendly_name": "Monthly budget",
        "recurring": "monthly",
        "trigger_by": "price",
        "trigger_value": Decimal("25000.5"),
        "usage_category": "totalprice",
    }
    assert (calls["trigger_by"], sms["recurring"]) == ("count", "")


def test_an_rfc_2822_date_without_a_time_zone_is_gmt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    noon = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
    assert mail_date("Thu, 01 Jan 2026 12:00:00 -0000") == noon
    assert mail_date("Thu, 01 Jan 2026 14:00:00 +0200") == noon
    assert mail_date("Thu, 01 Jan 2026 12:00:00 GMT") == noon
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("zone", ["", " +00x00", " +00\ud80000", " +000", " somewhere"])
def test_a_date_without_a_zone_that_can_be_read_is_refused(zone: str) -> None:
    with pytest.raises(ValueError, match="is not a date-time"):
        mail_date(f"Thu, 01 Jan 2026 12:00:00{zone}")


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"friendly_name": "no SID"}, "its sid is missing"),
        ({"sid": SID, "date_created": "yesterday"}, "its date_created is not a date-time"),
        ("no object", "it is not a JSON object"),
    ],
)
def test_an_invalid_entry_is_an_error_with_its_position(sync: Sync, entry: Any, says: str) -> None:
    good = {"sid": SID, "friendly_name": "fine"}
    with serve(lambda _: Answer.json({"accounts": [good, entry], "next_page_uri": None})) as server:
        catalog = of_streams("accounts")
        run = sync(config(server.url), catalog=catalog)
    assert run.code == 1
    assert f"accounts: entry 2: {says}" in run.last_line
