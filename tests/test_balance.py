"""`balance`: what is left of the main account's money."""

from __future__ import annotations

from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

import pytest

from sandbox import API_KEY_SECRET, API_KEY_SID, AUTH_TOKEN, MAIN_SID, Company, Server
from sandbox.api import Api, Caller
from sandbox.errors import ApiError
from tests.conftest import Sync
from tests.faults.conftest import catalog as of_streams

TODAY = date(2025, 8, 15)
CREDENTIALS: list[dict[str, Any]] = [
    {"auth_token": AUTH_TOKEN, "subaccounts": "separate"},
    {"api_key_sid": API_KEY_SID, "api_key_secret": API_KEY_SECRET},
]


@pytest.mark.parametrize("given", CREDENTIALS, ids=["auth token", "API key"])
def test_the_main_account_has_one_row_a_day(sync: Sync, given: dict[str, Any]) -> None:
    company = Company(since=date(2025, 1, 1), today=TODAY, categories=1)
    before = datetime.now(timezone.utc).replace(microsecond=0)
    with Server(company) as server:
        catalog = of_streams("balance")
        settings = {"account_sid": MAIN_SID, "api_url": server.url, **given}
        run = sync(settings, catalog=catalog)
        assert [request.path.rpartition("/")[2] for request in server.requests] == ["Balance.json"]
    assert run.code == 0
    (row,) = run.records("balance")
    retrieved_at = datetime.fromisoformat(row.pop("retrieved_at"))
    assert before <= retrieved_at <= datetime.now(timezone.utc)
    assert row.pop("retrieved_on") in {f"{before.date()}", f"{retrieved_at.date()}"}
    spent = sum(company.total(date(2025, 8, day)) for day in range(1, 16))
    assert row == {
        "account_sid": MAIN_SID,
        "balance": Decimal(50_000) - spent,
        "currency": "USD",
    }
    assert run.schemas()["balance"]["key_properties"] == ["account_sid", "retrieved_on"]
    assert "balance 1" in run.log


def test_a_subaccount_of_the_sandbox_has_no_balance() -> None:
    company = Company(since=date(2025, 1, 1), today=TODAY, categories=1)
    api = Api(company)
    sid = company.accounts()[1].sid
    with pytest.raises(ApiError) as refused:
        api.get(f"/2010-04-01/Accounts/{sid}/Balance.json", {}, Caller(MAIN_SID, by_api_key=False))
    assert refused.value.status == 404
