"""Cases 33, 39, 40, 42, 47, 50 and 52: settings and a state that are not quite what they should be.

A value in the wrong setting may be a secret: no message shows a long one.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sandbox import API_KEY_SID, MAIN_SID, Request, Server
from sandbox.faults import error
from tap_twilio_usage.tap import TapTwilioUsage
from tests.conftest import Run, Sync, catalog_of, config
from tests.faults.conftest import TODAY, Fault, Lab, changed, of_streams, table
from tests.http_server import Answer, serve
from tests.http_server import Request as Asked
from tests.twilio import SID, account, page, record

STREAM = "usage_records_daily"
SUBACCOUNT = f"AC{2:032d}"
DAYS = {"2026-01-01": {"calls": "1", "totalprice": "1"}}
NOWHERE = "http://127.0.0.1:9"
SECRET = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"


# 33: an account that never answers.


@pytest.mark.parametrize(
    "fault",
    [error(404, 20404, "The requested resource was not found"), error(403, 20003, "Forbidden")],
    ids=["404", "403"],
)
@pytest.mark.parametrize("stream", [STREAM, "usage_triggers", "categories"])
def test_an_account_that_never_answers_can_be_left_out(
    lab: Lab, healthy_separate: Run, stream: str, fault: Fault
) -> None:
    def plan(request: Request) -> Fault | None:
        return fault if f"/Accounts/{SUBACCOUNT}" in request.path else None

    failed = lab.with_faults(plan, stream, subaccounts="separate")
    advice = "if it always does so for this account, add it to exclude_account_sids"
    assert failed.code == 1
    assert advice in failed.last_line
    assert re.search(f"WARNING .*{SUBACCOUNT} failed .*{advice}", failed.log)
    with Server(lab.company, plan=plan) as server:
        run = lab.run(
            server.url, stream, subaccounts="separate", exclude_account_sids=[SUBACCOUNT.upper()]
        )
    assert run.code == 0
    # Once a month, the months of all accounts are compared with Twilio's own sum.
    asked = [r for r in server.requests if SUBACCOUNT in r.path]
    assert all(r.query.get("Category") == "totalprice" for r in asked)
    if stream != "categories":
        whole = of_streams(healthy_separate, stream)
        assert table(run) == {k: v for k, v in whole.items() if v["account_sid"] != SUBACCOUNT}


def test_an_excluded_account_keeps_its_state(lab: Lab, healthy_separate: Run) -> None:
    def partition(state: dict[str, Any]) -> dict[str, Any]:
        (found,) = [
            each
            for each in state["bookmarks"][STREAM]["partitions"]
            if each["context"]["account_sid"] == SUBACCOUNT
        ]
        assert isinstance(found, dict)
        return found

    before = {"bookmarks": {STREAM: healthy_separate.states[-1]["bookmarks"][STREAM]}}
    options: dict[str, Any] = {"subaccounts": "separate", "exclude_account_sids": [SUBACCOUNT]}
    with Server(lab.company) as server:
        run = lab.run(server.url, STREAM, state=before, **options)
    assert run.code == 0
    assert partition(run.states[-1]) == partition(before)
    assert SUBACCOUNT not in {row["account_sid"] for row in run.records()}


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"exclude_account_sids": [SID]}, "exclude_account_sids: requires subaccounts: separate"),
        (
            {"exclude_account_sids": [SID, API_KEY_SID], "subaccounts": "separate"},
            "exclude_account_sids: SID 2, ***, must be AC followed by 32 hex digits",
        ),
        ({"exclude_account_sids": 7}, "is not of type 'array'"),
    ],
)
def test_excluded_accounts_are_checked(sync: Sync, settings: dict[str, Any], line: str) -> None:
    run = sync(config(NOWHERE, **settings))
    assert run.code == 1
    assert line.replace("***", "'***'") in run.last_line


# 39: a whole number that is written with a decimal point.


@pytest.mark.parametrize(
    "text", ['"page_size": 20.0', '"lookback_days": 4.0', '"max_concurrent_requests": 4.0']
)
def test_a_number_with_a_decimal_point_is_a_whole_number(sync: Sync, text: str) -> None:
    with serve(account(DAYS)) as server:
        settings = json.dumps(config(server.url, end_date="2026-01-01"))
        run = sync(f"{settings[:-1]}, {text}}}")
    assert run.code == 0
    assert len(run.records()) == 2
    sizes = {r.query.get("PageSize") for r in server.requests} - {None}
    assert sizes == {"20" if "page_size" in text else "1000"}


@pytest.mark.parametrize("text", ["4.5", "1e30", "NaN"])
def test_any_other_number_is_refused_in_one_line(sync: Sync, text: str) -> None:
    run = sync(f'{json.dumps(config(NOWHERE))[:-1]}, "page_size": {text}}}')
    assert run.code == 1
    assert run.log.count(" | ERROR ") == 1
    assert "| page_size: " in run.last_line
    assert "Traceback" not in run.log


# 40: a secret in another setting.


def in_its_place(schema: dict[str, Any]) -> Any:
    """Return the secret in the type of the setting, if it can be in it at all."""
    return {"string": SECRET, "array": [SECRET]}.get(schema["type"][0])


WAYS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "as a text": lambda _: SECRET,
    "in a list": lambda _: [SECRET],
    "in an object": lambda _: {SECRET: SECRET},
    "in a nested object": lambda _: {"a": {SECRET: {"b": [SECRET]}}},
    "as a number": lambda _: int(SECRET, 16),
    "in its type": in_its_place,
}


def settings_with(way: str) -> Iterator[tuple[str, Any]]:
    schema = copy.deepcopy(TapTwilioUsage.config_jsonschema)
    TapTwilioUsage.append_builtin_config(schema)
    for name, described in schema["properties"].items():
        if (value := WAYS[way](described)) is not None:
            yield name, value


@pytest.mark.parametrize("way", WAYS)
def test_a_secret_in_any_setting_is_not_shown(sync: Sync, way: str) -> None:
    run = sync(dict(settings_with(way)), env={"TAP_TWILIO_USAGE_LOGLEVEL": "DEBUG"})
    assert run.code == 1
    assert run.log.count(" | ERROR ") >= 1
    assert SECRET not in run.log
    assert f"{int(SECRET, 16)}" not in run.log


@pytest.mark.parametrize(
    "name",
    [
        *("account_sid", "account_sids", "api_key_sid", "api_url", "end_date"),
        *("exclude_account_sids", "page_size", "shard", "start_date", "stream_maps", "subaccounts"),
    ],
)
def test_a_secret_in_one_setting_is_not_shown(sync: Sync, name: str) -> None:
    value: Any = SECRET
    if name.endswith("account_sids"):
        value = [SECRET]
    elif name == "stream_maps":
        value = {SECRET: {}}
    given = {"subaccounts": "separate", name: value}
    run = sync(config(NOWHERE, **given), env={"TAP_TWILIO_USAGE_LOGLEVEL": "DEBUG"})
    assert run.code == 1
    assert f"| {name}: " in run.last_line
    assert SECRET not in run.log


def test_a_secret_as_the_name_of_a_setting_is_not_shown(sync: Sync) -> None:
    run = sync(config(NOWHERE, **{SECRET: True}))
    assert run.code == 1
    assert run.last_line.endswith("| ***: unknown setting; remove it")
    assert SECRET not in run.log


def test_a_long_name_that_is_nearly_right_is_shown(sync: Sync) -> None:
    run = sync(config(NOWHERE, skip_unused_catagories=True))
    assert run.last_line.endswith(
        "| skip_unused_catagories: unknown setting; use skip_unused_categories"
    )


@pytest.mark.parametrize("arguments", [[SECRET], ["--about", SECRET, SECRET]])
def test_a_secret_as_an_argument_is_not_shown(sync: Sync, arguments: list[str]) -> None:
    run = sync(config(NOWHERE), *arguments)
    assert run.code == 2
    assert SECRET not in run.log + run.out


# 42: two streams under one name.


@pytest.mark.parametrize(
    ("stream_maps", "line"),
    [
        (
            {STREAM: {"__alias__": "categories"}},
            f"stream_maps: {STREAM} cannot be renamed to categories, the name of another stream",
        ),
        (
            {"categories": {"__source__": STREAM}},
            f"stream_maps: {STREAM} cannot be renamed to categories, the name of another stream",
        ),
        (
            {STREAM: {"__alias__": "spend"}, "categories": {"__alias__": "spend"}},
            f"stream_maps: {STREAM} cannot be renamed to spend, the name of another stream",
        ),
    ],
)
def test_two_streams_cannot_have_one_name(
    sync: Sync, stream_maps: dict[str, Any], line: str
) -> None:
    with serve(account(DAYS)) as server:
        run = sync(config(server.url, stream_maps=stream_maps))
    assert run.code == 1
    assert run.log.count(" | ERROR ") == 1
    assert line in run.last_line
    assert run.out == ""
    assert server.requests == []


# 47: a message in place of a state.


def test_a_whole_state_message_is_a_state(lab: Lab) -> None:
    with Server(lab.company) as server:
        first = lab.run(server.url, STREAM)
        message = next(each for each in reversed(first.messages) if each["type"] == "STATE")
        runs = [
            lab.run(server.url, STREAM, state=state, lookback_days=0)
            for state in (message["value"], message)
        ]
    assert [run.code for run in runs] == [0, 0]
    assert table(runs[0]) == table(runs[1])
    assert len(table(runs[0])) < len(table(first)) / 5


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ({"type": "STATE", "value": None}, "the value of the STATE message is not a JSON object"),
        ({"type": "STATE"}, "the value of the STATE message is not a JSON object"),
        ({"type": "STATE", "value": {"type": "STATE", "value": {}}}, "it has no bookmarks"),
        ({"singer_state": {"bookmarks": {}}}, "it has no bookmarks"),
        ({STREAM: {"partitions": []}}, "it has no bookmarks"),
    ],
)
def test_what_has_no_bookmarks_is_not_taken_for_an_empty_state(
    sync: Sync, state: dict[str, Any], why: str
) -> None:
    with serve(account(DAYS)) as server:
        run = sync(config(server.url), state=state)
    assert run.code == 1
    assert run.last_line.endswith(
        f"the state cannot be used: {why}; pass the last STATE of a run, or none"
    )
    assert server.requests == []


# 50: one account, written in two ways.

LOWER = "AC" + "ab" * 16
UPPER = "AC" + "AB" * 16


def spelled(sid: str, *, link: str | None = None) -> Callable[[Asked], Answer]:
    """Answer as Twilio does if it writes the SID like this, with a link from page to page."""

    def answer(request: Asked) -> Answer:
        kind = request.path.rpartition("/")[2]
        if kind == "Accounts.json":
            one = {"sid": sid, "owner_account_sid": sid, "date_created": None}
            return Answer.json({"accounts": [one], "next_page_uri": None})
        if kind == "Triggers.json":
            one = {"sid": "UT1", "account_sid": sid}
            return Answer.json({"usage_triggers": [one], "next_page_uri": None})
        if kind not in {"Daily.json", "AllTime.json"}:
            return Answer.json({"sid": sid, "date_created": None})
        names = ["calls", "totalprice"]
        is_first = link is not None and "Page" not in request.query
        rows = [record(name, "1", account_sid=sid) for name in (names[:1] if is_first else names)]
        more = f"/2010-04-01/Accounts/{link}/Usage/Records/{kind}?Page=1"
        return Answer.json(page(rows, more if is_first else None))

    return answer


@pytest.mark.parametrize("given", [UPPER, LOWER])
@pytest.mark.parametrize("sent", [UPPER, LOWER])
@pytest.mark.parametrize("subaccounts", ["rolled_up", "separate"])
def test_an_account_is_the_same_in_upper_and_lower_case(
    sync: Sync, given: str, sent: str, subaccounts: str
) -> None:
    maps: dict[str, Any] = {"stream_maps": {}}
    settings = {"account_sid": given, "end_date": "2026-01-01", "subaccounts": subaccounts, **maps}
    if subaccounts == "separate":
        settings["account_sids"] = [sent, given]
    streams = sync(None, "--discover").catalog
    catalog = catalog_of(streams, STREAM, "categories", "accounts", "usage_triggers")
    with serve(spelled(sent, link=LOWER if sent == UPPER else UPPER)) as server:
        run = sync(config(server.url, **settings), catalog=catalog)
        state = json.loads(json.dumps(run.states[-1]).replace(LOWER, given))
        again = sync(config(server.url, **settings), catalog=catalog, state=state)
    assert run.code == again.code == 0
    for each in (run, again):
        assert {row["account_sid"] for row in each.records()} == {LOWER}
        assert [row["account_sid"] for row in each.records("usage_triggers")] == [LOWER]
        (listed,) = each.records("accounts")
        assert listed["account_sid"] == listed["owner_account_sid"] == LOWER
        (partition,) = each.states[-1]["bookmarks"][STREAM]["partitions"]
        assert partition["context"]["account_sid"] == LOWER
        assert UPPER not in each.out
    assert not [r for r in server.requests if UPPER in r.path]


# 52: an empty variable.


@pytest.mark.parametrize(
    "name", ["SKIP_UNUSED_CATEGORIES", "PAGE_SIZE", "ACCOUNT_SIDS", "STREAM_MAPS", "START_DATE"]
)
@pytest.mark.parametrize("text", ["", " "])
def test_an_empty_variable_is_not_given(sync: Sync, name: str, text: str) -> None:
    days = {"2026-01-01": {"calls": "1", "sms": "0", "totalprice": "1"}}
    env = {f"TAP_TWILIO_USAGE_{name}": text}
    with serve(account(days)) as server:
        settings = config(server.url, end_date="2026-01-01")
        run = sync(settings, "--config=ENV", env=env)
    assert run.code == 0
    assert [row["category"] for row in run.records()] == ["calls", "totalprice"]
    assert {r.query.get("PageSize") for r in server.requests} - {None} == {"1000"}


# Subaccounts that Twilio includes though it was asked without.


@pytest.mark.parametrize("currency", ["usd", "eur"])
def test_a_main_account_with_the_spend_of_all_others_is_said(lab: Lab, currency: str) -> None:
    expected = f"{MAIN_SID} has exactly the spend of all its subaccounts together"

    def prices(of: dict[str, str]) -> Callable[[Request], Fault | None]:
        def plan(request: Request) -> Fault | None:
            sid = next((sid for sid in of if sid in request.path), None)
            if sid is None or "/Usage/Records/" not in request.path:
                return None

            def change(page: Any) -> None:
                for row in page["usage_records"]:
                    price = of[sid] if row["category"] in {"sms", "totalprice"} else "0"
                    row.update(price=price, usage=price, count=price, price_unit=currency)

            return changed(change)

        return plan

    others = {SUBACCOUNT: "0.3", f"AC{3:032d}": "0.7"}
    for own, is_said in (("1", True), ("1.1", False)):
        with Server(lab.company, plan=prices({MAIN_SID: own, **others})) as server:
            run = lab.run(
                server.url,
                STREAM,
                "usage_records_yesterday",
                subaccounts="separate",
                start_date=f"{TODAY}",
                end_date=f"{TODAY}",
            )
        assert run.code == 0
        assert run.log.count(expected) == is_said  # not of a single day, where it may be chance
