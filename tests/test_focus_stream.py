"""The stream `focus_cost_and_usage`."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sandbox import AUTH_TOKEN, MAIN_SID, Company, Server
from sandbox import Request as SandboxRequest
from tap_twilio_usage.focus.columns import KEY, SCHEMA, STREAM, schema_of
from tap_twilio_usage.singer.schemas import for_all_targets
from tests.conftest import Run, Sync, config, nightly
from tests.faults.conftest import Fault
from tests.faults.conftest import catalog as of_streams
from tests.forked import Overrides
from tests.http_server import Answer, Request, serve
from tests.twilio import SID, account, page, record

USAGE = "usage_records_daily"
FIRST, LAST = date(2025, 9, 20), date(2025, 9, 30)
DAYS = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]

Table = dict[tuple[str, ...], dict[str, Any]]


@pytest.fixture
def company() -> Company:
    return Company(since=date(2025, 8, 1), today=LAST, subaccounts=2, categories=60)


def settings(server: Server, **more: Any) -> dict[str, Any]:
    return {
        "account_sid": MAIN_SID,
        "auth_token": AUTH_TOKEN,
        "start_date": f"{FIRST}",
        "end_date": f"{LAST}",
        "focus": True,
        "api_url": server.url,
        **more,
    }


def table(*runs: Run) -> Table:
    """Return the FOCUS rows of a target that upserts by key, after the runs."""
    return {
        tuple(row[column] for column in KEY): row for run in runs for row in run.records(STREAM)
    }


def costs(rows: Table) -> dict[tuple[str, str], Decimal]:
    """Return the cost for each account and day."""
    sums: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in rows.values():
        sums[row["x_AccountSid"], row["ChargePeriodStart"][:10]] += row["BilledCost"]
    return dict(sums)


def totals(company: Company, *, inside: bool) -> dict[tuple[str, str], Decimal]:
    """Return the spend of the company by account and day, without days of zero."""
    sids = [MAIN_SID] if inside else [each.sid for each in company.accounts()]
    return {
        (sid, f"{day}"): total
        for sid in sids
        for day in DAYS
        if (total := company.total(day, sid, include_subaccounts=inside))
    }


def asked(server: Server) -> list[tuple[str, tuple[tuple[str, str], ...]]]:
    return sorted((each.path, tuple(sorted(each.query.items()))) for each in server.requests)


def test_every_column_of_the_schema_has_a_description(sync: Sync, server: Server) -> None:
    run = sync(settings(server))
    message = run.schemas()[STREAM]
    assert message["key_properties"] == [*KEY]
    assert message["schema"] == for_all_targets(SCHEMA)
    assert run.records(STREAM)[0].keys() == SCHEMA["properties"].keys()
    assert STREAM not in sync(None, "--discover").out


def test_the_setting_adds_the_stream_and_no_request(sync: Sync, company: Company) -> None:
    with Server(company) as server:
        without = sync(settings(server, focus=False))
        as_always = asked(server)
    with Server(company) as server:
        run = sync(settings(server))
        assert asked(server) == as_always
    assert STREAM not in without.out
    freshness = {"as_of": None}
    assert [row | freshness for row in run.records()] == [
        row | freshness for row in without.records()
    ]


@pytest.mark.parametrize("subaccounts", ["rolled_up", "separate", "excluded"])
def test_the_rows_of_a_day_sum_to_its_total_in_every_mode(
    sync: Sync, server: Server, company: Company, subaccounts: str
) -> None:
    rows = table(run := sync(settings(server, subaccounts=subaccounts)))
    expected = totals(company, inside=subaccounts == "rolled_up")
    if subaccounts == "excluded":
        expected = {key: total for key, total in expected.items() if key[0] == MAIN_SID}
    assert costs(rows) == expected
    assert len(run.records(STREAM)) == len(rows)
    assert all(row["BilledCost"] for row in rows.values())
    assert {row["BillingAccountId"] for row in rows.values()} == {MAIN_SID}
    assert {row["BillingAccountName"] for row in rows.values()} == {"Sandbox Company"}
    subs = {(row["SubAccountId"], row["SubAccountName"]) for row in rows.values()}
    others = {(each.sid, each.friendly_name) for each in company.accounts() if not each.is_main}
    assert subs == ({(None, None), *others} if subaccounts == "separate" else {(None, None)})


def test_rows_are_complete_if_properties_of_the_records_are_deselected(
    sync: Sync, server: Server
) -> None:
    whole = table(sync(settings(server)))
    catalog = of_streams(USAGE)
    for stream in catalog["streams"]:
        for entry in stream["metadata"]:
            if entry["breadcrumb"][1:] in (["price"], ["deduplicated_price"], ["service"]):
                entry["metadata"]["selected"] = False
    run = sync(settings(server), catalog=catalog)
    assert "price" not in run.records()[0]
    freshness = {"x_AsOf": None}
    assert {key: row | freshness for key, row in table(run).items()} == {
        key: row | freshness for key, row in whole.items()
    }


# A user's own stream_maps.


def test_usage_records_can_be_removed_by_a_map(
    sync: Sync, server: Server, company: Company
) -> None:
    run = sync(settings(server, stream_maps={USAGE: None}))
    assert USAGE not in run.schemas()
    assert costs(table(run)) == totals(company, inside=True)


def test_the_stream_can_have_the_columns_of_1_4(sync: Sync, server: Server) -> None:
    run, default = sync(settings(server, focus_version="1.4")), sync(settings(server))
    message = run.schemas()[STREAM]
    assert message["schema"] == for_all_targets(schema_of("1.4"))
    assert message["schema"]["properties"].keys() == run.records(STREAM)[0].keys()
    shared = SCHEMA["properties"].keys() & schema_of("1.4")["properties"].keys() - {"x_AsOf"}
    rows, others = table(run), table(default)
    assert rows.keys() == others.keys()
    for key, row in rows.items():
        assert [row[name] for name in shared] == [others[key][name] for name in shared]


def test_the_version_may_be_a_number(sync: Sync, server: Server) -> None:
    """YAML makes a number of 1.4 without quotes."""
    run = sync(settings(server, focus_version=1.4, end_date=f"{DAYS[0]}"))
    assert "ProviderName" not in run.records(STREAM)[0]
    wrong = sync(settings(server, focus_version="1.2"))
    assert wrong.code == 1
    assert "focus_version: '1.2' is not one of ['1.3', '1.4']" in wrong.log


def test_maps_of_usage_records_do_not_change_focus_rows(
    sync: Sync, server: Server, company: Company
) -> None:
    maps = {USAGE: {"__filter__": "counts_in_total", "price": None, "__alias__": "usage"}}
    run = sync(settings(server, stream_maps=maps))
    assert run.records("usage")
    assert costs(table(run)) == totals(company, inside=True)


def test_focus_rows_can_have_a_map(sync: Sync, server: Server) -> None:
    maps = {
        STREAM: {
            "__filter__": "ChargeCategory == 'Purchase'",
            "__alias__": "spend",
            "x_Team": "'voice'",
            "ListCost": None,
        }
    }
    run = sync(settings(server, stream_maps=maps))
    assert STREAM not in run.schemas()
    assert "ListCost" not in run.schemas()["spend"]["schema"]["properties"]
    rows = run.records("spend")
    assert {(row["ChargeCategory"], row["x_Team"]) for row in rows} == {("Purchase", "voice")}
    assert run.records()


def test_focus_rows_can_be_removed_by_a_map(sync: Sync, server: Server) -> None:
    run = sync(settings(server, stream_maps={STREAM: None}))
    assert run.code == 0
    assert STREAM not in run.schemas()
    assert run.records()


def test_a_map_of_focus_rows_requires_the_setting(sync: Sync, server: Server) -> None:
    run = sync(settings(server, focus=False, stream_maps={STREAM: None}))
    assert run.code == 1
    assert f"stream_maps: '{STREAM}' is not a stream" in run.last_line


def test_focus_rows_are_written_with_batches(
    sync: Sync, server: Server, company: Company, tmp_path: Path
) -> None:
    batches = {
        "encoding": {"format": "jsonl", "compression": "gzip"},
        "storage": {"root": tmp_path.as_uri()},
    }
    run = sync(settings(server, batch_config=batches))
    assert not run.records()
    assert costs(table(run)) == totals(company, inside=True)


def test_the_test_option_writes_no_row(sync: Sync, server: Server) -> None:
    run = sync(settings(server), "--test")
    assert run.code == 0
    assert STREAM not in run.out or not run.records(STREAM)


# Names of accounts.


def named(friendly_name: Any) -> Any:
    """Return the answers of an account with this name that spends one dollar a day."""
    answers = account({f"2026-01-0{n}": {"calls": "1", "totalprice": "1"} for n in range(1, 6)})

    def answer(request: Request) -> Answer:
        if not request.path.endswith(f"/{SID}.json"):
            return answers(request)
        created = "Thu, 01 Jan 2026 00:00:00 +0000"
        return Answer.json({"friendly_name": friendly_name, "date_created": created})

    return answer


@pytest.mark.parametrize(
    ("friendly_name", "setting", "name"),
    [
        ("Acme", "Other", "Acme"),
        ("", "Other", "Other"),
        (None, None, SID),
        (["no", "name"], None, SID),
        ("two\nlines", None, SID),
    ],
)
def test_the_billing_account_always_has_a_name(
    sync: Sync, friendly_name: Any, setting: str | None, name: str
) -> None:
    with serve(named(friendly_name)) as server:
        own = {"billing_account_name": setting} if setting else {}
        run = sync(config(server.url, focus=True, end_date="2026-01-02", **own))
    assert {row["BillingAccountName"] for row in run.records(STREAM)} == {name}


def test_the_name_is_the_same_in_later_runs(sync: Sync) -> None:
    with serve(named("Acme")) as server:
        first = sync(config(server.url, focus=True, end_date="2026-01-02"))
        before = len(server.requests)
        settings = config(server.url, focus=True, end_date="2026-01-03")
        second = sync(settings, state=first.states[-1])
        assert f"{SID}.json" not in server.paths()[before:]
    assert {row["BillingAccountName"] for row in second.records(STREAM)} == {"Acme"}


def test_an_account_that_cannot_be_read_has_the_name_of_the_setting(sync: Sync) -> None:
    days = {"2026-01-01": {"calls": "1", "totalprice": "1"}}
    with serve(account(days, created=None)) as server:
        own = config(server.url, focus=True, end_date="2026-01-01")
        run = sync({**own, "billing_account_name": "Acme Inc."})
    assert {row["BillingAccountName"] for row in run.records(STREAM)} == {"Acme Inc."}


# One run after another.


def test_a_repeated_run_emits_the_same_rows(sync: Sync, server: Server) -> None:
    first = sync(settings(server))
    second = sync(settings(server), state=first.states[-1])
    assert len(second.records(STREAM)) == len(first.records(STREAM))
    assert table(first, second).keys() == table(first).keys()


@pytest.mark.parametrize("lookback_days", [3, nightly(35)])
def test_a_day_that_is_restated_to_zero_is_overwritten(
    sync: Sync, server: Server, company: Company, lookback_days: int
) -> None:
    """Only rows that no longer have a cost are set to zero."""
    own = settings(server, lookback_days=lookback_days, subaccounts="excluded")
    day, category = LAST - timedelta(days=2), "sms-outbound-longcode"
    key = MAIN_SID, category, f"{day}T00:00:00Z"
    first = sync(own)
    assert table(first)[key]["BilledCost"]
    company.restate(day, category, price=0)
    second = sync(own, state=first.states[-1])
    rows = table(first, second)
    assert costs(rows)[MAIN_SID, f"{day}"] == company.total(day, include_subaccounts=False)
    gone = {each for each, row in table(second).items() if not row["BilledCost"]}
    assert key in gone
    assert {each[2] for each in gone} == {key[2]}
    assert rows[key]["ConsumedQuantity"] is None
    third = sync(own, state=second.states[-1])
    assert all(row["BilledCost"] for row in third.records(STREAM))


def partitions(state: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = state["bookmarks"].get(USAGE, {}).get("partitions", [])
    return found


def cut(run: Run, day: date, sid: str = MAIN_SID) -> tuple[Table, dict[str, Any]]:
    """Return the rows of a run that ends after those of a day, and the last STATE before them."""
    rows: Table = {}
    state: dict[str, Any] = {}
    for message in run.messages:
        if message["type"] == "STATE":
            if any(
                each["context"]["account_sid"] == sid
                and each.get("replication_key_value", "") >= f"{day}"
                for each in partitions(message["value"])
            ):
                break
            state = message["value"]
        elif message["type"] == "RECORD" and message["stream"] == STREAM:
            rows[tuple(message["record"][column] for column in KEY)] = message["record"]
    return rows, state


def test_an_interrupted_run_is_completed_with_the_same_costs(
    sync: Sync, server: Server, company: Company
) -> None:
    half, state = cut(sync(settings(server)), LAST - timedelta(days=4))
    assert state["bookmarks"][USAGE]["billed_up_to"] == f"{LAST}"
    rest = sync(settings(server), state=state)
    assert costs(half | table(rest)) == totals(company, inside=True)
    assert "billed_up_to" not in rest.states[-1]["bookmarks"][USAGE]


def test_a_day_that_is_restated_after_an_interrupted_run_is_overwritten(
    sync: Sync, server: Server, company: Company
) -> None:
    day = LAST - timedelta(days=4)
    own = settings(server, subaccounts="excluded")
    half, state = cut(sync(own), day)
    company.restate(day, "sms-outbound-longcode", price=0)
    rows = half | table(sync(own, state=state))
    assert costs(rows)[MAIN_SID, f"{day}"] == company.total(day, include_subaccounts=False)


def test_a_day_that_is_restated_twice_around_an_interruption_is_overwritten(
    sync: Sync, server: Server, company: Company
) -> None:
    day = LAST - timedelta(days=3)
    own = settings(server, subaccounts="excluded")
    first = sync(own)
    assert (MAIN_SID, "phonenumbers-local", f"{day}T00:00:00Z") not in table(first)
    company.charge(day, "phonenumbers-local", "12.5")
    half, _ = cut(sync(own, state=first.states[-1]), LAST + timedelta(days=9))
    company.restate(day, "phonenumbers-local", price=0)
    marked = json.loads(json.dumps(first.states[-1]))
    marked["bookmarks"][USAGE]["billed_up_to"] = f"{LAST}"  # the only STATE that got through
    rows = table(first) | half | table(sync(own, state=marked))
    assert costs(rows)[MAIN_SID, f"{day}"] == company.total(day, include_subaccounts=False)


def test_an_interruption_before_a_change_of_mode_counts_no_dollar_twice(
    sync: Sync, server: Server, company: Company
) -> None:
    sub = next(each.sid for each in company.accounts() if not each.is_main)
    apart = settings(server, subaccounts="separate")
    half, state = cut(sync(apart), LAST - timedelta(days=2), sub)
    rows = half | table(sync(settings(server), state=state))
    assert {key: cost for key, cost in costs(rows).items() if cost} == totals(company, inside=True)


def test_a_failed_account_leaves_the_run_marked_as_interrupted(
    sync: Sync, company: Company
) -> None:
    def plan(request: SandboxRequest) -> Fault | None:
        is_of_sub = "Daily.json" in request.path and MAIN_SID not in request.path
        return (lambda reply: reply._replace(status=403)) if is_of_sub else None

    with Server(company, plan=plan) as server:
        run = sync(settings(server, subaccounts="separate"), overrides=Overrides(speed=500))
    assert run.code == 1
    assert run.states[-1]["bookmarks"][USAGE]["billed_up_to"] == f"{LAST}"


@pytest.mark.parametrize(
    "restated",
    [
        {"calls": "5", "totalprice": None},
        {"calls": "5"},
        {"totalprice": "0"} | {"calls": "0"},
    ],
    ids=["a total without a price", "no total", "nothing"],
)
def test_a_day_that_lost_its_total_has_no_cost(sync: Sync, restated: dict[str, Any]) -> None:
    days: dict[str, Any] = {"2026-01-01": {"calls": "2", "totalprice": "5"}}
    with serve(account(days, all_time={"calls": "7", "totalprice": "7"})) as server:
        own = config(server.url, focus=True, end_date="2026-01-01")
        first = sync(own)
        days["2026-01-01"] = restated
        second = sync(own, state=first.states[-1])
    rows = table(first) | table(second)
    left = {key[1] for key, row in rows.items() if row["BilledCost"]}
    assert left == ({"totalprice"} if "totalprice" not in restated else set())


def test_the_state_keeps_no_more_days_than_are_read_again(sync: Sync, server: Server) -> None:
    run = sync(settings(server, lookback_days=3))
    (partition,) = partitions(run.states[-1])
    assert [*partition["billed"]["days"]] == [f"{day}" for day in DAYS[-4:]]


def test_a_row_without_a_currency_has_the_currency_of_the_total(sync: Sync) -> None:
    def answer(request: Request) -> Answer:
        if "Records" not in request.path:
            return Answer.error(401, 20003)
        rows = [
            record("aaa", "1", price_unit="eur"),
            record("calls", "3", price_unit=None),
            record("totalprice", "3"),
        ]
        return Answer.json(page(rows))

    with serve(answer) as server:
        run = sync(config(server.url, focus=True, end_date="2026-01-01"))
    assert {row["x_Category"]: row["BillingCurrency"] for row in run.records(STREAM)} == {
        "calls": "USD"
    }


def test_a_change_with_an_end_date_is_completed_by_the_next_run(
    sync: Sync, server: Server, company: Company
) -> None:
    first = sync(settings(server, subaccounts="separate"))
    half = sync(settings(server, end_date=f"{DAYS[4]}"), state=first.states[-1])
    rest = sync(settings(server), state=half.states[-1])
    spent = {key: cost for key, cost in costs(table(first, half, rest)).items() if cost}
    assert spent == totals(company, inside=True)


def test_a_change_of_mode_and_back_counts_no_dollar_twice(
    sync: Sync, server: Server, company: Company
) -> None:
    runs, state = list[Run](), None
    for subaccounts in ("rolled_up", "separate", "rolled_up"):
        runs.append(sync(settings(server, subaccounts=subaccounts), state=state))
        state = runs[-1].states[-1]
        spent = {key: cost for key, cost in costs(table(*runs)).items() if cost}
        assert spent == totals(company, inside=subaccounts == "rolled_up")


@pytest.mark.parametrize("change", [("separate", "rolled_up"), nightly(("rolled_up", "separate"))])
def test_a_change_of_mode_with_an_older_state_counts_no_dollar_twice(
    sync: Sync, server: Server, company: Company, change: tuple[str, str]
) -> None:
    """The target has rows of later days, of which this STATE knows nothing."""
    before, after = change
    first = sync(settings(server, subaccounts=before, end_date=f"{DAYS[3]}"))
    lost = sync(settings(server, subaccounts=before), state=first.states[-1])
    runs = [first, lost, sync(settings(server, subaccounts=after), state=first.states[-1])]
    spent = {key: cost for key, cost in costs(table(*runs)).items() if cost}
    assert spent == totals(company, inside=after == "rolled_up")


def has_begun(state: dict[str, Any], sid: str) -> bool:
    """Return whether a STATE is of a run that was about to send the first rows of an account."""
    partitions = state["bookmarks"].get("usage_records_daily", {}).get("partitions", [])
    (found,) = [each for each in partitions if each["context"]["account_sid"] == sid] or [{}]
    return "used_categories" in found and "billed" not in found


@pytest.mark.parametrize("before", ["separate", nightly("rolled_up")])
def test_a_change_of_mode_with_the_state_of_a_run_that_had_just_begun_counts_no_dollar_twice(
    sync: Sync, server: Server, company: Company, before: str
) -> None:
    """Of an account that this STATE names."""
    sub = next(each.sid for each in company.accounts() if not each.is_main)
    sid = sub if before == "separate" else MAIN_SID
    first = sync(settings(server, subaccounts=before, end_date=f"{DAYS[3]}"))
    (state, *_) = [each for each in first.states if has_begun(each, sid)]
    lost = sync(settings(server, subaccounts=before), state=first.states[-1])
    runs = [first, lost, sync(settings(server, subaccounts="excluded"), state=state)]
    spent = {day: cost for (of, day), cost in costs(table(*runs)).items() if cost and of == sid}
    expected = {} if sid == sub else totals(company, inside=False)
    assert spent == {day: total for (of, day), total in expected.items() if of == sid}


def test_an_account_that_is_left_out_with_an_older_state_has_no_cost(
    sync: Sync, server: Server, company: Company
) -> None:
    sub = next(each.sid for each in company.accounts() if not each.is_main)
    apart = {"subaccounts": "separate"}
    first = sync(settings(server, **apart, end_date=f"{DAYS[3]}"))
    lost = sync(settings(server, **apart), state=first.states[-1])
    without = settings(server, subaccounts="excluded")
    runs = [first, lost, sync(without, state=first.states[-1])]
    assert not any(cost for (sid, _), cost in costs(table(*runs)).items() if sid == sub)


@pytest.mark.parametrize(
    "pause", [{"focus": False}, nightly({"stream_maps": {STREAM: None}})], ids=str
)
def test_days_that_were_loaded_during_a_pause_are_loaded_after_it(
    sync: Sync, server: Server, pause: dict[str, Any]
) -> None:
    first = sync(settings(server, end_date=f"{DAYS[3]}"))
    paused = sync(settings(server, end_date=f"{DAYS[6]}", **pause), state=first.states[-1])
    again = sync(settings(server, lookback_days=1), state=paused.states[-1])
    whole = table(sync(settings(server)))
    found = table(first) | table(again)
    costs = {key: row["BilledCost"] for key, row in found.items() if row["BilledCost"]}
    assert costs == {key: row["BilledCost"] for key, row in whole.items()}


def bills(*runs: Run) -> dict[tuple[str, ...], Decimal]:
    return {key: row["BilledCost"] for key, row in table(*runs).items() if row["BilledCost"]}


def test_days_that_were_loaded_before_it_was_switched_on_are_loaded_with_it(
    sync: Sync, server: Server
) -> None:
    first = sync(settings(server, focus=False))
    again = sync(settings(server, lookback_days=1), state=first.states[-1])
    whole = sync(settings(server))
    assert bills(again) == bills(whole)
    (name,) = {row["BillingAccountName"] for row in whole.records(STREAM)}
    assert {row["BillingAccountName"] for row in again.records(STREAM)} == {name} != {MAIN_SID}
    last = sync(settings(server, lookback_days=1), state=again.states[-1])
    assert {row["start_date"] for row in last.records(USAGE)} == {f"{day}" for day in DAYS[-2:]}


def test_they_are_loaded_after_a_first_run_that_was_cut_off(sync: Sync, server: Server) -> None:
    first = sync(settings(server, focus=False))
    cut_off = sync(settings(server, lookback_days=1), state=first.states[-1])
    whole = bills(sync(settings(server)))
    for state in cut_off.states[::4]:
        again = sync(settings(server, lookback_days=1), state=state)
        assert bills(cut_off, again) == whole


def test_a_day_that_is_restated_during_a_pause_is_loaded_after_it(
    sync: Sync, server: Server, company: Company
) -> None:
    first = sync(settings(server, end_date=f"{DAYS[4]}"))
    company.restate(DAYS[3], "sms-outbound-longcode", price_factor="3")
    state, paused = first.states[-1], settings(server, focus=False, lookback_days=3)
    state = sync({**paused, "end_date": f"{DAYS[-1]}"}, state=state).states[-1]
    again = sync(settings(server, lookback_days=1), state=state)
    assert bills(first, again) == bills(sync(settings(server)))


def test_earlier_days_that_a_pause_adds_are_loaded_after_it(sync: Sync, server: Server) -> None:
    first = sync(settings(server, start_date=f"{DAYS[5]}"))
    paused = sync(settings(server, focus=False, start_date=f"{DAYS[2]}"), state=first.states[-1])
    again = sync(settings(server), state=paused.states[-1])
    assert bills(first, again) == bills(sync(settings(server)))


def test_older_days_are_read_again_once_it_is_switched_on(sync: Sync, server: Server) -> None:
    """With several accounts they are otherwise skipped if nothing has changed."""
    apart = settings(server, subaccounts="separate")
    first = sync({**apart, "focus": False})
    second = sync(apart, state=first.states[-1])
    assert len(table(second)) == len(table(sync(apart)))


def test_the_log_has_the_number_of_rows(sync: Sync, server: Server) -> None:
    run = sync(settings(server))
    assert f"{MAIN_SID}: loaded {len(run.records(STREAM))} rows of {STREAM}\n" in run.log


def test_a_warning_says_that_its_source_is_not_selected(sync: Sync, server: Server) -> None:
    catalog = of_streams("categories")
    run = sync(settings(server), catalog=catalog)
    assert run.code == 0
    assert f"focus: no rows are loaded, because {USAGE} is not selected; select it" in run.log


@pytest.mark.parametrize("name", [" ", "two\nlines", "a\0b"])
def test_a_name_that_is_not_valid_is_refused(sync: Sync, name: str) -> None:
    run = sync({"account_sid": MAIN_SID, "billing_account_name": name}, "--test")
    assert run.code == 1
    assert (
        "billing_account_name: is empty or contains a character that cannot be printed" in run.log
    )
