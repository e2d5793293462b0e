"""`connections`: several accounts in one run, each with credentials of its own."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timezone
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest

from sandbox import AUTH_TOKEN, MAIN_SID, Company, Request, Server, connections
from sandbox.__main__ import main
from sandbox.company import Account
from sandbox.faults import error
from tap_twilio_usage.errors import SettingsError
from tap_twilio_usage.tap import TapTwilioUsage
from tests.canary import leaks
from tests.conftest import Run, Sync
from tests.faults.conftest import catalog as of_streams
from tests.forked import Overrides
from tests.twilio import between

FIRST, LAST = date(2025, 9, 28), date(2025, 10, 1)
DAYS = [date.fromisoformat(day) for day in between(f"{FIRST}", f"{LAST}")]
DAILY = "usage_records_daily"
IN_A_HURRY = Overrides(speed=500)


def companies(*subaccounts: int) -> list[Company]:
    return [
        Company(today=LAST, since=date(2025, 8, 19), categories=60, subaccounts=each, number=number)
        for number, each in enumerate(subaccounts, 1)
    ]


@pytest.fixture
def all_companies() -> list[Company]:
    return companies(2, 1)


@pytest.fixture
def server(all_companies: list[Company]) -> Iterator[Server]:
    with Server(all_companies[0], others=all_companies[1:]) as running:
        yield running


def settings(server: Server, *given: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "connections": [*given],
        "start_date": f"{FIRST}",
        "end_date": f"{LAST}",
        "api_url": server.url,
        "oauth_token_url": f"{server.url}/v2/token",
        **more,
    }


def apart(server: Server, *given: dict[str, Any], **more: Any) -> dict[str, Any]:
    return settings(server, *given, subaccounts="separate", **more)


def everything(server: Server, **more: Any) -> dict[str, Any]:
    return apart(server, *connections([server.company, *server.others]), **more)


def accounts(server: Server) -> list[tuple[Company, Account]]:
    return [
        (company, account)
        for company in (server.company, *server.others)
        for account in company.accounts()
    ]


def key(account: Account, **more: Any) -> dict[str, Any]:
    sid, secret = account.restricted_key
    return {"account_sid": account.sid, "api_key_sid": sid, "api_key_secret": secret, **more}


def app(account: Account, **more: Any) -> dict[str, Any]:
    client_id, secret = account.oauth_app
    return {
        "account_sid": account.sid,
        "account_client_id": client_id,
        "account_client_secret": secret,
        **more,
    }


def token(account: Account, **more: Any) -> dict[str, Any]:
    return {"account_sid": account.sid, "auth_token": account.auth_token, **more}


def spend(*runs: Run) -> dict[tuple[str, str], Decimal]:
    """Return the spend by account and day, of the rows as a target has them after the runs."""
    rows = {
        (row["account_sid"], row["start_date"], row["category"]): row["deduplicated_price"]
        for run in runs
        for row in run.records()
    }
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for (sid, day, _), price in rows.items():
        sums[sid, day] += price
    return dict(sums)


def own_spend(server: Server, *chosen: Account) -> dict[tuple[str, str], Decimal]:
    """Return Twilio's totals by account and day, of all accounts or of those chosen."""
    sums = {
        (account.sid, f"{day}"): company.total(day, account.sid, include_subaccounts=False)
        for company, account in accounts(server)
        for day in DAYS
        if account in (chosen or (account,))
    }
    return {place: total for place, total in sums.items() if total}


def test_three_main_accounts_and_forty_subaccounts_load_with_restricted_keys(sync: Sync) -> None:
    first, *others = companies(14, 13, 13)
    with Server(first, others=others) as server:
        run = sync(everything(server))
        assert run.code == 0
        assert len(accounts(server)) == 43
        assert spend(run) == own_spend(server)
        assert {each.path.rpartition("/")[2] for each in server.requests if each.status == 200} == {
            "AllTime.json",
            "Daily.json",
            "Monthly.json",
        }


def test_the_settings_outside_are_the_first_connection(sync: Sync, server: Server) -> None:
    (other,) = server.others
    main = other.accounts()[0]
    run = sync(
        settings(
            server, key(main), account_sid=MAIN_SID, auth_token=AUTH_TOKEN, subaccounts="rolled_up"
        )
    )
    assert run.code == 0
    assert spend(run) == {
        (each.main_sid, f"{day}"): each.total(day)
        for each in (server.company, other)
        for day in DAYS
    }


def test_a_subaccount_of_separate_is_read_by_its_own_connection(sync: Sync, server: Server) -> None:
    main, sub, other = server.company.accounts()
    run = sync(settings(server, token(main, subaccounts="separate"), key(sub)))
    assert run.code == 0
    assert spend(run) == own_spend(server, main, sub, other)
    assert by_tokens(sync, server) == spend(run)
    (partition,) = (each for each in partitions(run) if each["context"]["account_sid"] == sub.sid)
    assert partition["main_account_sid"] == main.sid
    assert not partition["context"]["includes_subaccounts"]
    server.unpermitted.add(sub.sid)  # only its own key says so
    refused = sync(settings(server, token(main, subaccounts="separate"), key(sub)))
    assert refused.code == 1
    assert f"{sub.sid}: categories: Twilio refused the credentials (403: " in refused.last_line
    config = settings(server, token(main, subaccounts="separate"), key(sub))
    tested = sync(config, "--test", overrides=IN_A_HURRY)
    assert tested.code == 1
    assert f"{DAILY}: Twilio refused the credentials (403: " in tested.last_line
    assert "of connection 2, and that" in tested.last_line


def test_a_subaccount_without_a_connection_is_said_once_a_month(sync: Sync, server: Server) -> None:
    at_noon = Overrides(now=datetime(2025, 10, 1, 12, tzinfo=timezone.utc))
    whole = sync(everything(server), overrides=at_noon)
    assert "more spend" not in whole.log
    given = connections([server.company, *server.others])
    forgotten = next(each for each in accounts(server) if each[1] is server.company.accounts()[1])
    config = apart(server, *(each for each in given if each["account_sid"] != forgotten[1].sid))
    run = sync(config, overrides=at_noon)
    assert run.code == 0
    says = re.findall(r"subaccounts have (\S+) more spend in (\S+) than all accounts that", run.log)
    assert [month for _, month in says] == ["2025-09", "2025-10"]
    assert "whether all subaccounts" not in run.log
    october = forgotten[0].total(LAST, forgotten[1].sid, include_subaccounts=False)
    assert Decimal(says[1][0]) == october
    again = sync(config, state=run.states[-1], overrides=at_noon)
    assert "more spend" not in again.log
    months = error(400, 20001, "Invalid StartDate")
    server.plan = lambda request: months if "/Monthly.json" in request.path else None
    catalog = of_streams(DAILY)
    unchecked = sync(config, catalog=catalog, overrides=at_noon)
    assert unchecked.code == 0
    assert "whether all subaccounts have a connection cannot be checked" in unchecked.log


def test_accounts_that_keys_have_loaded_are_compared_once_there_is_a_list(
    sync: Sync, server: Server
) -> None:
    """The comparison of keys is of months; that of Twilio's list is of the days."""
    later = Overrides(now=datetime(2025, 12, 1, 12, tzinfo=timezone.utc))
    company = server.company
    by_keys = sync(apart(server, *connections([company])), overrides=later)
    before = len(server.requests)
    listed = apart(server, token(company.accounts()[0]))
    del listed["start_date"]
    run = sync(listed, state=by_keys.states[-1], overrides=later)
    assert (by_keys.code, run.code) == (0, 0)
    together = [
        each.query["StartDate"]
        for each in server.requests[before:]
        if each.query.get("Category") == "totalprice" and each.query["IncludeSubaccounts"] == "true"
    ]
    assert [day <= "2025-09-01" for day in together] == [True]


def by_tokens(sync: Sync, server: Server) -> dict[tuple[str, str], Decimal]:
    """Load with a subaccount's own Auth Token, which can list the subaccount itself."""
    main, sub, _ = server.company.accounts()
    run = sync(settings(server, token(sub), token(main), subaccounts="separate"))
    assert run.code == 0
    (partition,) = (each for each in partitions(run) if each["context"]["account_sid"] == sub.sid)
    assert partition["main_account_sid"] == main.sid
    return spend(run)


def partitions(run: Run, stream: str = DAILY) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = run.states[-1]["bookmarks"][stream]["partitions"]
    return found


def test_a_connection_that_is_added_or_removed_leaves_the_others_right(
    sync: Sync, server: Server
) -> None:
    both = connections([server.company])[:2]
    one = sync(apart(server, both[0]))
    added = sync(apart(server, *both), state=one.states[-1])
    assert (one.code, added.code) == (0, 0)
    assert spend(one, added) == own_spend(server, *server.company.accounts()[:2])
    removed = sync(apart(server, both[1]), state=added.states[-1])
    assert removed.code == 0
    assert partitions(removed)[0] == partitions(added)[0]
    assert {row["account_sid"] for row in removed.records()} == {both[1]["account_sid"]}
    back = sync(apart(server, *both), state=removed.states[-1])
    assert spend(one, added, removed, back) == spend(one, added)


def test_a_change_from_separate_to_connections_and_back_keeps_each_dollar_once(
    sync: Sync, server: Server
) -> None:
    main, *subs = server.company.accounts()
    separate = apart(server, token(main))
    keys = connections([server.company])
    by_keys = apart(server, *keys)
    rolled_up = settings(server, key(main))
    of_each = own_spend(server, main, *subs)
    runs: list[Run] = []
    for config in (separate, by_keys, apart(server, *keys[:2]), separate):
        runs.append(sync(config, state=runs[-1].states[-1] if runs else None))
        assert runs[-1].code == 0
        assert spend(*runs) == of_each
    twice = {**rolled_up, "connections": [key(main), key(subs[0])]}
    refused = sync(twice, state=runs[-1].states[-1])
    assert refused.code == 1
    assert (
        f"{subs[0].sid} is a subaccount of {main.sid}, whose rows include it" in refused.last_line
    )
    runs.append(sync(rolled_up, state=runs[-1].states[-1]))
    assert sum(spend(*runs).values()) == sum(map(server.company.total, DAYS))
    runs.append(sync(by_keys, state=runs[-1].states[-1]))
    assert {p: total for p, total in spend(*runs).items() if total} == of_each


# An OAuth app of the account.


def test_an_oauth_app_reads_its_account(sync: Sync, server: Server) -> None:
    main = server.company.accounts()[0]
    config = settings(server, **app(main))
    del config["connections"]
    run = sync(config)
    assert run.code == 0
    assert spend(run) == {(main.sid, f"{day}"): server.company.total(day) for day in DAYS}
    assert len(server.tokens) <= 2  # renewed once, as the app may not read the account itself
    assert not leaks(run.out + run.log, [*server.tokens, main.oauth_app[1]])


@pytest.mark.parametrize("ends", ["expired", "revoked"])
def test_a_token_that_ends_is_renewed(
    sync: Sync, server: Server, ends: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    main = server.company.accounts()[0]
    passed = [0.0]
    monkeypatch.setattr("sandbox.oauth.clock", lambda: passed[0])

    def end(request: Request) -> None:
        if request.path.endswith("AllTime.json") and len(server.tokens) == 1:
            if ends == "revoked":
                server.revoke_tokens()
            passed[0] += 4000.0 * (ends == "expired")

    server.plan = end
    run = sync(settings(server, app(main)))
    assert run.code == 0
    assert len(server.tokens) > 1
    assert spend(run) == {(main.sid, f"{day}"): server.company.total(day) for day in DAYS}


def test_a_missing_permission_is_named(sync: Sync, server: Server) -> None:
    main = server.company.accounts()[0]
    server.unpermitted.add(main.sid)
    for given, names in (
        (app, "account_client_id and account_client_secret"),
        (key, "account_sid"),
    ):
        run = sync(settings(server, given(main, name="EU"), account_sid=""))
        assert run.code == 1
        assert "(403: code 403, Forbidden" in run.last_line
        assert f"check {names}" in run.last_line
        assert "of connection 1 ('EU'), and that " in run.last_line
        assert run.last_line.endswith("the permission /twilio/billing/usage/read")


def test_wrong_client_credentials_are_named(sync: Sync, server: Server) -> None:
    main = server.company.accounts()[0]
    run = sync(settings(server, **app(main, account_client_secret="wrong")))
    assert run.code == 1
    assert run.last_line.endswith("; check account_client_id and account_client_secret")


# One of several fails.


def test_a_connection_that_is_refused_does_not_keep_the_others_from_loading(
    sync: Sync, server: Server
) -> None:
    config = everything(server)
    bad = config["connections"][1]
    good_secret = bad["api_key_secret"]
    bad["api_key_secret"] = "wrong"
    run = sync(config)
    assert run.code == 1
    assert (
        f"some accounts failed; everything else is complete: {bad['account_sid']}" in run.last_line
    )
    assert f"of connection 2 ('{bad['name']}')" in run.last_line
    expected = own_spend(server)
    assert spend(run) == {p: t for p, t in expected.items() if p[0] != bad["account_sid"]}
    bad["api_key_secret"] = good_secret
    again = sync(config, state=run.states[-1])
    assert again.code == 0
    assert spend(run, again) == expected


def test_a_list_that_is_refused_does_not_keep_the_others_from_loading(
    sync: Sync, server: Server
) -> None:
    (other,) = server.others
    mains = server.company.accounts()[0], other.accounts()[0]
    bad = token(mains[0], subaccounts="separate", auth_token="wrong")
    run = sync(settings(server, bad, token(mains[1], subaccounts="separate")))
    assert run.code == 1
    assert f"{mains[0].sid}: " in run.last_line
    assert "check account_sid and auth_token of connection 1" in run.last_line
    assert spend(run) == own_spend(server, *other.accounts())


def test_an_account_of_a_list_that_is_refused_is_not_called_mistyped(
    sync: Sync, server: Server
) -> None:
    (other,) = server.others
    main, sub, _ = server.company.accounts()
    last = other.accounts()[0]
    bad = token(main, subaccounts="separate", auth_token="wrong")
    config = settings(server, bad, token(last, subaccounts="separate"))
    run = sync({**config, "account_sids": [sub.sid, last.sid]})
    assert run.code == 1
    assert "mistyped" not in run.log
    assert spend(run) == own_spend(server, last)


def test_the_test_command_has_a_line_for_each_connection_that_fails(
    sync: Sync, server: Server
) -> None:
    config = everything(server)
    for position in (1, 3):
        config["connections"][position]["api_key_secret"] = "wrong"
    run = sync(config, "--test", overrides=IN_A_HURRY)
    assert run.code == 1
    lines = [line for line in run.log.splitlines() if " ERROR " in line and DAILY in line]
    assert len(lines) == 2
    assert "of connection 2" in lines[0]
    assert "of connection 4" in lines[1]
    assert "usage_triggers cannot be read, and is not selected: Twilio refused" in run.log
    good = sync(everything(server), "--test", overrides=IN_A_HURRY)
    assert good.code == 0
    assert f"{DAILY} can be read" in good.log


# Streams of several connections.


def test_focus_has_the_billing_account_of_each_connection(sync: Sync, server: Server) -> None:
    main, sub, _ = server.company.accounts()
    other = server.others[0].accounts()[0]
    run = sync(
        settings(
            server,
            token(main, name="Not shown", subaccounts="separate"),
            key(sub, name="Not shown either"),
            key(other, name="Europe", subaccounts="excluded"),
            focus=True,
            billing_account_name="Of another account",
        )
    )
    assert run.code == 0
    rows = run.records("focus_cost_and_usage")
    assert {
        (
            row["BillingAccountId"],
            row["BillingAccountName"],
            row["SubAccountId"],
            row["SubAccountName"],
        )
        for row in rows
        if row["x_AccountSid"] in {main.sid, sub.sid, other.sid}
    } == {
        (main.sid, "Sandbox Company", None, None),
        (main.sid, "Sandbox Company", sub.sid, "Sandbox Subaccount 1"),
        (other.sid, "Europe", None, None),
    }
    costs: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in rows:
        costs[row["x_AccountSid"], row["ChargePeriodStart"][:10]] += row["BilledCost"]
    assert costs == own_spend(server, *server.company.accounts(), other)


def test_shards_divide_the_accounts_of_all_connections(sync: Sync, server: Server) -> None:
    runs = [sync(everything(server, shard=f"{number}/3")) for number in (1, 2, 3)]
    assert [run.code for run in runs] == [0, 0, 0]
    shares = [{row["account_sid"] for row in run.records()} for run in runs]
    assert sorted(map(len, shares)) == [0, 1, 4]
    assert spend(*runs) == own_spend(server)


def test_the_other_streams_read_every_connection(sync: Sync, server: Server) -> None:
    main, *_ = server.company.accounts()
    other = server.others[0].accounts()[0]
    config = settings(server, token(main), token(other), start_date=f"{LAST}")
    names = "accounts", "usage_triggers", "usage_reconciliation", "categories"
    catalog = of_streams(*names)
    run = sync(config, catalog=catalog)
    assert run.code == 0
    every = {account.sid for _, account in accounts(server)}
    assert [*sorted(row["account_sid"] for row in run.records("accounts"))] == sorted(every)
    assert {row["account_sid"] for row in run.records("usage_triggers")} == {main.sid, other.sid}
    assert {
        row["account_sid"]: row["monthly_total"] for row in run.records("usage_reconciliation")
    } == {company.main_sid: company.total(LAST) for company in (server.company, *server.others)}
    assert any(row["is_reported"] for row in run.records("categories"))
    by_keys = settings(server, token(main), key(other))
    partly = sync(by_keys, catalog=of_streams("accounts"))
    assert partly.code == 0
    assert {row["account_sid"] for row in partly.records("accounts")} == {
        account.sid for account in server.company.accounts()
    }
    assert f"{other.sid}: its list of accounts is not loaded: an API key reads" in partly.log


def test_an_account_that_is_throttled_lowers_no_other_connection(
    sync: Sync, server: Server
) -> None:
    main, other = server.company.accounts()[0], server.others[0].accounts()[0]
    refused: list[Request] = []

    def throttle(request: Request) -> Any:
        if f"/{main.sid}/" in request.path and len(refused) < 6:
            refused.append(request)
            return error(429, 20429, "Too Many Requests")
        return None

    server.plan = throttle
    run = sync(settings(server, key(main), key(other)), overrides=IN_A_HURRY)
    assert run.code == 0
    assert spend(run).keys() == {(sid, f"{day}") for sid in (main.sid, other.sid) for day in DAYS}
    assert len(refused) == 6
    assert not any(other.sid in line for line in run.log.splitlines() if "; try " in line)


def test_each_connection_has_a_throttle_of_its_own() -> None:
    given = [{**ONE, "account_sid": sid} for sid in (SID, OTHER)]
    session = TapTwilioUsage(config={"connections": given, "max_concurrent_requests": 5}).session
    first, second = session.clients.values()
    assert first._throttle is not second._throttle
    assert session.max_requests == 10


# Settings.

KEY = {"api_key_sid": "SK" + "1" * 32, "api_key_secret": "s3cret-of-a-key"}
SID, OTHER = "AC" + "a" * 32, "AC" + "b" * 32
ONE = {"account_sid": SID, **KEY}
WRONG: dict[str, tuple[Any, str]] = {
    "no list": ({"account_sid": "s3cret"}, "connections: must be a list of objects; from the"),
    "no objects": (["s3cret"], "connections: connection 1: must be an object with account_sid"),
    "no account": ([KEY], "connections: connection 1: account_sid is missing"),
    "an account SID cut short": (
        [{**ONE, "account_sid": "AC12", "name": "EU"}],
        "connections: connection 1 ('EU'): account_sid must be AC followed by 32 hex digits",
    ),
    "an API key SID": (
        [{**ONE, "api_key_sid": "s3cret"}],
        "connections: connection 1: api_key_sid must be SK followed by 32 hex digits",
    ),
    "the same account": (
        [ONE, {**ONE, "account_sid": SID.upper()}],
        f"connections: connection 2: AC{SID[2:]} is named by connection 1 too; remove one of",
    ),
    "no credentials": (
        [ONE, {"account_sid": OTHER}],
        "connections: connection 2: has no credentials; set auth_token, api_key_sid and",
    ),
    "two kinds of credentials": (
        [{**ONE, "auth_token": "s3cret-token"}],
        "connections: connection 1: has an Auth Token and an API key; keep one of them",
    ),
    "half an OAuth app": (
        [{"account_sid": SID, "account_client_id": "s3cret-id"}],
        "connections: connection 1: account_client_secret is missing",
    ),
    "an unknown key": (
        [{**ONE, "auth_tokn": "s3cret-token"}],
        "connections: connection 1: auth_tokn: unknown; use auth_token",
    ),
    "a key like none": (
        [{**ONE, "colour": "s3cret-token"}],
        "connections: connection 1: colour: unknown; remove it",
    ),
    "another choice": (
        [{**ONE, "subaccounts": "all"}],
        "connections: connection 1: subaccounts must be one of rolled_up, separate, excluded",
    ),
    "a secret that is a number": (
        [{**ONE, "api_key_secret": 123456789}],
        "connections: connection 1: api_key_secret must be a string",
    ),
    "a secret with a line end": (
        [{**ONE, "api_key_secret": "s3cret\n"}],
        "connections: connection 1: api_key_secret contains whitespace",
    ),
    "subaccounts by a key": (
        [{**ONE, "subaccounts": "separate"}],
        "connection 1: an API key reads one account only, so subaccounts cannot be separate; use",
    ),
    "a name in two lines": (
        [{**ONE, "name": "E\nU"}],
        "name contains a character that cannot be printed",
    ),
}


@pytest.mark.parametrize(("wrong", "message"), WRONG.values(), ids=WRONG.keys())
def test_wrong_connections_are_refused_in_one_line(wrong: Any, message: str) -> None:
    (line,) = refusals({"connections": wrong})
    assert message in line
    assert "s3cr" not in line
    assert "123456789" not in line


def refusals(config: dict[str, Any]) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        TapTwilioUsage(config=config)
    return [*refused.value.problems]


def test_an_account_of_a_connection_cannot_be_the_main_one_or_excluded() -> None:
    assert refusals({"account_sid": SID, "auth_token": "x", "connections": [ONE]}) == [
        (
            f"connections: connection 1: {SID} is named by account_sid (TWILIO_ACCOUNT_SID) too; "
            "remove one of them"
        )
    ]
    separate = {"account_sid": OTHER, "auth_token": "x", "subaccounts": "separate"}
    assert refusals({**separate, "exclude_account_sids": [SID], "connections": [ONE]}) == [
        (
            f"connections: connection 1: {SID} is in exclude_account_sids too; remove it from one "
            "of them"
        )
    ]
    assert refusals({**separate, "exclude_account_sids": [SID], "account_sids": [SID]}) == [
        f"account_sids: {SID} is in exclude_account_sids too; remove it from one of them"
    ]


def test_an_oauth_app_beside_other_credentials_is_refused() -> None:
    config = {"account_sid": SID, "account_client_id": "a", "account_client_secret": "b"}
    (line,) = refusals({**config, "auth_token": "c"})
    assert line.startswith("account_client_id: there are other credentials of the account as well")


def test_connections_in_the_environment_are_json(sync: Sync, server: Server) -> None:
    given = connections([server.company])[:2]
    config = apart(server, start_date=f"{LAST}")
    del config["connections"]
    run = sync(config, "--config=ENV", env={"TAP_TWILIO_USAGE_CONNECTIONS": json.dumps(given)})
    assert run.code == 0
    assert {row["account_sid"] for row in run.records()} == {each["account_sid"] for each in given}
    assert not leaks(run.out + run.log, [each["api_key_secret"] for each in given])
    text = json.dumps(given)[:-1]
    refused = sync(config, "--config=ENV", env={"TAP_TWILIO_USAGE_CONNECTIONS": text})
    assert refused.code == 1
    assert refused.last_line.endswith(
        "connections: must be a list of objects; from the environment, as JSON"
    )
    assert not leaks(refused.log, [each["api_key_secret"] for each in given])


def test_a_secret_of_a_connection_is_masked_wherever_it_appears(sync: Sync, server: Server) -> None:
    def echo(_: Request) -> Any:
        return lambda reply: reply._replace(
            status=400,
            content=json.dumps({"code": 1, "message": f"no {secret}", "status": 400}).encode(),
        )

    server.plan = echo
    for given in (key, app, token):
        account = accounts(server)[1][1]
        secret = [*given(account).values()][-1]
        run = sync(settings(server, given(account)), "--test", overrides=IN_A_HURRY)
        assert run.code == 1
        assert not leaks(run.log, [secret])
        assert "no ***" in run.log or given is app


def test_a_subaccount_of_a_rolled_up_account_is_refused_if_an_auth_token_says_so(
    sync: Sync, server: Server
) -> None:
    main, sub, _ = server.company.accounts()
    for given in ((token(main), token(sub)), (key(main), token(sub)), (token(main), key(sub))):
        run = sync(settings(server, *given))
        assert run.code == 1
        assert not run.records()
        assert f"{sub.sid} is a subaccount of {main.sid}, whose rows include it" in run.last_line
    apart = sync(settings(server, token(main, subaccounts="excluded"), token(sub)))
    assert apart.code == 0
    assert spend(apart) == own_spend(server, main, sub)


def test_requests_are_made_ahead_for_the_next_connection(sync: Sync, server: Server) -> None:
    main, other = server.company.accounts()[0], server.others[0].accounts()[0]
    together = Barrier(2)

    def meet(request: Request) -> None:
        # Without subaccounts, it is asked for after all accounts, one by one.
        if request.path.endswith("AllTime.json") and request.query["IncludeSubaccounts"] == "true":
            together.wait(60)

    config = settings(server, key(main), key(other), max_concurrent_requests=1)
    catalog = of_streams(DAILY)
    server.plan = meet
    assert sync(config, catalog=catalog).code == 0


def test_the_sandbox_prints_the_connections_of_its_companies(
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = ("--companies", "2", "--subaccounts", "1", "--since", "2025-08-19")
    assert main(["connections", *options, "--today", f"{LAST}"]) == 0
    assert json.loads(capsys.readouterr().out) == connections(companies(1, 1))
