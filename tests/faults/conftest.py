"""Runs the tap, with all streams and all kinds of secrets, against a server with faults.

Whatever happens, each run here is checked for what must hold in every case (`Lab.run`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import pytest

from sandbox import (
    API_KEY_SECRET,
    AUTH_TOKEN,
    BILLING_GROUP_IDS,
    CLIENT_ID,
    CLIENT_SECRET,
    MAIN_SID,
    Company,
    Reply,
    Request,
    Server,
)
from tests.canary import leaks
from tests.conftest import Run, Sync, catalog_of, forked_in, nightly, nightly_except
from tests.forked import Overrides

FIRST, LAST, TODAY = date(2025, 9, 11), date(2025, 9, 20), date(2025, 10, 5)
CATALOGS = Path(__file__).parents[1] / "catalogs"
SPEED = 1000  # by which all waits are divided
IN_A_HURRY = Overrides(SPEED)

USAGE = {
    f"usage_records_{name}": f"/Usage/Records/{resource}.json"
    for name, resource in {
        "daily": "Daily",
        "monthly": "Monthly",
        "yearly": "Yearly",
        "all_time": "AllTime",
        "today": "Today",
        "yesterday": "Yesterday",
        "this_month": "ThisMonth",
        "last_month": "LastMonth",
    }.items()
}
BILLING = {"billing_group_records": "DAILY", "billing_group_records_monthly": "MONTHLY"}
LISTS = {"accounts": "/Accounts.json", "usage_triggers": "/Usage/Triggers.json"}
PAGED = [*LISTS, *USAGE]  # with links; billing groups use tokens
DATED = ["usage_records_daily", "usage_records_monthly", "usage_records_yearly", *BILLING]
RECONCILIATION = "usage_reconciliation"  # it asks only for the totals of days and months
BALANCE = "balance"
STREAMS = [*PAGED, RECONCILIATION, "categories", BALANCE, *BILLING]
# One stream of each kind; the others use the same code.
TYPICAL = {"accounts", "usage_records_daily", "billing_group_records"}


# For a test of each stream; those that are not typical are nightly.
TYPICAL_BY_DAY = nightly_except(TYPICAL, STREAMS)
DATED_BY_DAY = nightly_except(TYPICAL, DATED)
USAGE_BY_DAY = nightly_except(TYPICAL, USAGE)

K = TypeVar("K")
Fault = Callable[[Reply], Reply]
Plan = Callable[[Request], Fault | None]
Table = dict[tuple[str, ...], dict[str, Any]]


def spread(
    streams: Iterable[str],
    kinds: Iterable[K],
    fits: Callable[[str, K], bool] = lambda *_: True,
) -> list[Any]:
    """Pair typical streams with all kinds of a fault, and each other stream with two, nightly."""
    every, pairs = list(kinds), []
    for number, stream in enumerate(streams):
        if stream in TYPICAL:
            pairs += [(stream, kind) for kind in every if fits(stream, kind)]
        else:
            some = [kind for kind in every[number % len(every) :] + every if fits(stream, kind)]
            pairs += [nightly(stream, kind) for kind in some[:2]]
    return pairs


def is_of(stream: str, request: Request) -> bool:
    """Return whether the request is for the data of the stream, not for what all streams need."""
    if stream in BILLING:
        return request.query.get("aggregationPeriod") == BILLING[stream]
    others = {
        RECONCILIATION: USAGE["usage_records_daily"],
        "categories": USAGE["usage_records_all_time"],
        BALANCE: "/Balance.json",
    }
    is_of_path = request.path.endswith({**USAGE, **LISTS, **others}[stream])
    return is_of_path and ("Category" in request.query) == (stream == RECONCILIATION)


def of(stream: str, fault: Fault, *, after: int = 0) -> Plan:
    """Return a plan that applies the fault to answers for the stream, after the first `after`."""
    left = [after]

    def plan(request: Request) -> Fault | None:
        if not is_of(stream, request):
            return None
        left[0] -= 1
        return fault if left[0] < 0 else None

    return plan


def at_first(*faults: Fault) -> Plan:
    """Return a plan in which each request has these faults, one per try, before it succeeds."""
    asked: dict[tuple[str, ...], Iterator[Fault]] = {}

    def plan(request: Request) -> Fault | None:
        key = (request.method, request.path, *map(str, sorted(request.query.items())))
        return next(asked.setdefault(key, iter(faults)), None)

    return plan


def changed(change: Callable[[Any], Any]) -> Fault:
    """Return a fault that changes the JSON of an answer, in place or by the returned value."""

    def fault(reply: Reply) -> Reply:
        value = json.loads(reply.content, parse_float=str)  # to keep all digits
        instead = change(value)
        content = json.dumps(value if instead is None else instead).encode()
        return reply._replace(content=content)

    return fault


def rows_of(page: Any) -> Any:
    """Return the list of rows of an answer of any of the APIs; an empty one if it has none."""
    if "balance" in page:
        return [page]
    names = ("usage_records", "records", "accounts", "usage_triggers")
    return next((page[name] for name in names if name in page), [])


def every_row(change: Callable[[dict[str, Any]], Any]) -> Fault:
    """Return a fault that changes each row of an answer."""

    def change_all(page: Any) -> None:
        for row in rows_of(page):
            change(row)

    return changed(change_all)


def warned(run: Run) -> str:
    """Return the warnings in the log."""
    return "\n".join(line for line in run.log.splitlines() if " | WARNING " in line)


def table(run: Run, *streams: str) -> Table:
    """Return the rows of a target that upserts by key, without times, which always differ."""
    keys = {stream: schema["key_properties"] for stream, schema in run.schemas().items()}
    return {
        (stream, *(record[key] for key in keys[stream])): {
            **record,
            "as_of": None,
            "retrieved_at": None,
        }
        for stream in streams or keys
        for record in run.records(stream)
    }


@dataclass
class Lab:
    sync: Sync
    company: Company

    def settings(self, url: str, **settings: Any) -> dict[str, Any]:
        return {
            "account_sid": MAIN_SID,
            "auth_token": AUTH_TOKEN,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "billing_group_ids": list(BILLING_GROUP_IDS),
            "api_url": url,
            "billing_api_url": url,
            "oauth_token_url": f"{url}/v2/token",
            "start_date": f"{FIRST}",
            "end_date": f"{LAST}",
            "page_size": 250,
            **settings,
        }

    def run(
        self,
        url: str,
        *streams: str,
        state: Any = None,
        env: Mapping[str, str] | None = None,
        overrides: Overrides = IN_A_HURRY,
        tokens: Collection[str] = (),
        **settings: Any,
    ) -> Run:
        """Load the streams, by default all, and check the rules that hold in every case.

        `tokens` are read after the run, in which the server issues them.
        """
        run = self.sync(
            self.settings(url, **settings),
            state=state,
            catalog=catalog(*streams),
            env={"TAP_TWILIO_USAGE_LOGLEVEL": "DEBUG", **(env or {})},
            overrides=overrides,
        )
        assert run.code in {0, 1}
        assert "Traceback" not in run.log
        assert (run.code == 0) == (" | ERROR " not in run.log)
        if run.code:
            assert " | ERROR " in run.last_line
        lines = [line for line in run.log.splitlines() if " | DEBUG " not in line]
        assert [line for line in lines if len(line) >= 700] == []
        assert {m["type"] for m in run.messages} <= {"SCHEMA", "RECORD", "STATE"}
        secrets = (AUTH_TOKEN, API_KEY_SECRET, CLIENT_SECRET, *tokens)
        assert leaks(run.log + run.out, secrets) == []
        return run

    def with_faults(self, plan: Plan, *streams: str, **options: Any) -> Run:
        """Load from a server whose answers have the planned faults."""
        with Server(self.company, plan=plan) as server:
            return self.run(server.url, *streams, tokens=server.tokens, **options)

    def resumed(self, run: Run, *streams: str, **options: Any) -> Table:
        """Return the rows of a target after the run and a run without faults from its last STATE.

        Which reads no day before its bookmark again: that would hide a bookmark past the data.
        """
        with Server(self.company) as server:
            state = run.states[-1] if run.states else None
            rest = self.run(server.url, *streams, state=state, lookback_days=0, **options)
        assert rest.code == 0
        before, after = table(run), table(rest)
        # Without zeros for categories that a day does not list, which only a second run adds.
        listed = {
            key: row
            for key, row in after.items()
            if key in before or row.get("api_version", "") is not None
        }
        return before | listed


def catalog(*streams: str) -> dict[str, Any]:
    """Return a catalog of the streams, all of them selected."""
    chosen = streams or STREAMS
    entries = [json.loads((CATALOGS / f"{stream}.json").read_text()) for stream in chosen]
    return catalog_of({"streams": entries}, *chosen)


@pytest.fixture(scope="session")
def company() -> Company:
    return Company(
        since=date(2025, 6, 1),
        today=TODAY,
        subaccounts=2,
        categories=1,
        new_category_from=date(2025, 9, 15),
    )


@pytest.fixture
def lab(sync: Sync, company: Company) -> Lab:
    return Lab(sync, company)


@pytest.fixture(scope="session")
def healthy(company: Company, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return the run that loads all streams from a server without faults."""
    lab = Lab(forked_in(tmp_path_factory.mktemp("healthy")), company)
    return lab.with_faults(lambda _: None)


@pytest.fixture(scope="session")
def healthy_separate(company: Company, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return the same run with separate accounts."""
    lab = Lab(forked_in(tmp_path_factory.mktemp("separate")), company)
    return lab.with_faults(lambda _: None, subaccounts="separate")


def of_streams(healthy: Run, *streams: str) -> Table:
    """Return the rows that a target should have of the streams."""
    return {key: row for key, row in table(healthy).items() if key[0] in streams}
