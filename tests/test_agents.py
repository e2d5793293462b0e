"""docs/agents.md: twenty questions with known answers, an MCP server, and the Grafana dashboard."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import psycopg
import pyarrow as pa
import pytest

from sandbox import AUTH_TOKEN, MAIN_SID, Company, Server
from tap_twilio_usage.money.hierarchy import normalise, shipped
from tests.conftest import ROOT, address, blocks, forked_in, install

PAGE = ROOT / "docs" / "agents.md"
QUESTIONS = blocks(PAGE, "sql")
COMPANY = Company(today=date(2025, 10, 5), categories=40)
DAYS = [date(2025, 8, 16) + timedelta(days=number) for number in range(46)]
MONEY = pa.decimal128(38, 12)
COLUMNS = {
    "usage_records_daily": pa.schema(
        {
            "account_sid": pa.string(),
            "category": pa.string(),
            "start_date": pa.date32(),
            "price": MONEY,
            "price_unit": pa.string(),
            "service": pa.string(),
            "billing_kind": pa.string(),
            "deduplicated_price": MONEY,
            "includes_subaccounts": pa.bool_(),
        }
    ),
    "accounts": pa.schema({"account_sid": pa.string(), "friendly_name": pa.string()}),
}
TYPES = {MONEY: "numeric(38, 12)", pa.date32(): "date", pa.bool_(): "boolean"}

Rows = list[tuple[Any, ...]]


class Cost(NamedTuple):
    """What a category of an account and day costs, as the sandbox knows without adding up rows."""

    account: str
    day: date
    category: str
    amount: Decimal

    @property
    def service(self) -> str:
        known = shipped().categories.get(normalise(self.category))
        return known.service if known else "Other"

    @property
    def kind(self) -> str:
        known = shipped().categories.get(normalise(self.category))
        return known.billing_kind if known else "usage"

    @property
    def month(self) -> date:
        return self.day.replace(day=1)


COSTS = [
    Cost(account.sid, day, category, amount)
    for account in COMPANY.accounts()
    for day in DAYS
    for category, amount in COMPANY.truth(day, account.sid, include_subaccounts=False).items()
]
AUGUST, SEPTEMBER = ([cost for cost in COSTS if cost.day.month == month] for month in (8, 9))


def added(costs: Iterable[Cost], key: Callable[[Cost], Any] = lambda _: None) -> dict[Any, Decimal]:
    sums: defaultdict[Any, Decimal] = defaultdict(Decimal)
    for cost in costs:
        sums[key(cost)] += cost.amount
    return {name: amount for name, amount in sums.items() if amount}


def total(costs: Iterable[Cost]) -> Decimal:
    return sum((cost.amount for cost in costs), Decimal(0))


def descending(sums: dict[Any, Decimal]) -> Rows:
    return sorted(sums.items(), key=lambda row: (-row[1], row[0]))


def half(costs: list[Cost]) -> Decimal:
    return total(cost for cost in costs if 16 <= cost.day.day <= 30)


def answers() -> list[Rows]:
    """Return the rows that each question must have."""
    messages = descending(
        added((c for c in COSTS if c.service == "SMS & MMS"), lambda cost: cost.account)
    )
    names = {account.sid: account.friendly_name for account in COMPANY.accounts()}
    voice = total(cost for cost in COSTS if cost.service == "Voice")
    before = {cost.category for cost in AUGUST if cost.amount}
    last, days = date(2025, 9, 30), timedelta(days=1)
    weeks = (
        total(c for c in COSTS if last - 7 * days < c.day),
        total(c for c in COSTS if last - 14 * days < c.day <= last - 7 * days),
    )
    sms = sum(
        row.price
        for account in COMPANY.accounts()
        for day in DAYS
        for row in COMPANY.rows(day, account=account.sid, include_subaccounts=False)
        if row.category == "sms"
    )
    return [
        [(total(SEPTEMBER),)],
        sorted(added(COSTS, lambda cost: cost.month).items()),
        descending(added(COSTS, lambda cost: cost.day))[:1],
        descending(added(SEPTEMBER, lambda cost: cost.service)),
        descending(added(COSTS, lambda cost: cost.category))[:3],
        [(round(100 * voice / total(COSTS), 1),)],
        sorted(added(COSTS, lambda cost: cost.account).items()),
        [(names[messages[0][0]], messages[0][1])],
        [(round(total(SEPTEMBER) / 30, 2),)],
        sorted(added(COSTS, lambda cost: cost.day.isoweekday() >= 6).items()),
        [(len(DAYS),)],
        [(DAYS[0], DAYS[-1])],
        [(total(cost for cost in COSTS if cost.category == "totalprice"),)],
        [(total(SEPTEMBER),)],
        [(0,)],
        descending(added(COSTS, lambda cost: cost.kind)),
        [(half(SEPTEMBER) - half(AUGUST),)],
        [(name,) for name in sorted({c.category for c in SEPTEMBER if c.amount} - before)],
        [weeks],
        [(sms,)],
    ]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pa.Table]:
    """Return what the tap emits of the company, as tables."""
    with Server(COMPANY) as server:
        settings = {
            "account_sid": MAIN_SID,
            "auth_token": AUTH_TOKEN,
            "api_url": server.url,
            "subaccounts": "separate",
            "start_date": f"{DAYS[0]}",
            "end_date": f"{DAYS[-1]}",
        }
        sync = forked_in(tmp_path_factory.mktemp("tap"))
        catalog = sync(settings, "--discover").catalog
        for stream in catalog["streams"]:
            stream["metadata"][-1]["metadata"]["selected"] = stream["tap_stream_id"] in COLUMNS
        run = sync(settings, catalog=catalog)
    assert run.code == 0, run.log
    found = {}
    for name, schema in COLUMNS.items():
        rows = run.records(name)
        for row in rows:
            if "start_date" in row:
                row["start_date"] = date.fromisoformat(row["start_date"])
        found[name] = pa.Table.from_pylist(rows, schema)
    return found


@pytest.fixture
def file(tables: dict[str, pa.Table], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the copy that the page makes of a DuckDB file."""
    (tmp_path / "output").mkdir()
    with duckdb.connect(tmp_path / "output" / "demo.duckdb") as connection:
        connection.execute("CREATE SCHEMA tap_twilio_usage")
        for name, table in tables.items():
            connection.register("rows", table)
            connection.execute(f"CREATE TABLE tap_twilio_usage.{name} AS FROM rows")
    monkeypatch.chdir(tmp_path)
    (copy,) = blocks(PAGE, "python")
    exec(compile(copy, PAGE.name, "exec"), {})
    return tmp_path / "output" / "agent.duckdb"


@pytest.fixture
def warehouse(tables: dict[str, pa.Table], database: str) -> str:
    with psycopg.connect(database) as connection:
        connection.execute("CREATE SCHEMA tap_twilio_usage")
        for name, table in tables.items():
            columns = ", ".join(f"{f.name} {TYPES.get(f.type, 'text')}" for f in table.schema)
            connection.execute(f"CREATE TABLE tap_twilio_usage.{name} ({columns})")
            copy = f"COPY tap_twilio_usage.{name} FROM STDIN"
            with connection.cursor().copy(copy) as to:
                for row in table.to_pylist():
                    to.write_row([*row.values()])
    return database


def test_duckdb_knows_the_twenty_answers(file: Path) -> None:
    with duckdb.connect(file, read_only=True) as connection:
        found = [connection.execute(question).fetchall() for question in QUESTIONS]
    assert len(found) == 20
    assert [texts(each) for each in found] == [texts(each) for each in answers()]


def test_postgresql_knows_the_twenty_answers(warehouse: str) -> None:
    with psycopg.connect(warehouse) as connection:
        found = [connection.execute(question).fetchall() for question in QUESTIONS]
    assert found == answers()


CLIENT = """
import asyncio, json, sys
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

async def main():
    server, tool = json.loads(sys.argv[1]), sys.argv[2]
    async with (
        stdio_client(StdioServerParameters(**server)) as streams,
        ClientSession(*streams) as session,
    ):
        await session.initialize()
        for question in json.load(sys.stdin):
            answer = await session.call_tool(tool, {"sql": question})
            print(json.dumps([content.text for content in answer.content]))

asyncio.run(main())
"""


def ask(server: dict[str, Any], tool: str, questions: list[str], folder: Path) -> list[list[str]]:
    """Return what the MCP server of the page answers to each question."""
    assert server["command"] == "uvx"
    package, *arguments = server["args"]
    install(folder / "environment", package, "mcp")
    programs = folder / "environment" / "bin"
    settings = {**server, "command": f"{programs / package}", "args": arguments}
    done = subprocess.run(
        [programs / "python", "-c", CLIENT, json.dumps(settings), tool],
        input=json.dumps(questions),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "HTTP Request" not in done.stderr  # nothing is asked of other hosts
    return [json.loads(line) for line in done.stdout.splitlines()]


MOTHERDUCK, TOOLBOX = (
    json.loads(block)["mcpServers"]["twilio-usage"] for block in blocks(PAGE, "json")
)


@pytest.mark.nightly
def test_the_mcp_server_for_duckdb_knows_the_twenty_answers(file: Path, tmp_path: Path) -> None:
    assert Path(MOTHERDUCK["args"][-1]).resolve() == file.resolve()
    writes = "DELETE FROM tap_twilio_usage.accounts"
    *found, (refused,) = ask(MOTHERDUCK, "execute_query", [*QUESTIONS, writes], tmp_path)
    rows = [json.loads(text, parse_float=Decimal)["rows"] for (text,) in found]
    assert [texts(each) for each in rows] == [texts(each) for each in answers()]
    assert "read-only" in refused


@pytest.mark.nightly
def test_the_mcp_server_for_postgresql_knows_the_twenty_answers(
    warehouse: str, tmp_path: Path
) -> None:
    (grants,) = (block for block in blocks(PAGE, "text") if "CREATE ROLE" in block)
    with psycopg.connect(warehouse) as connection:
        connection.execute(f"CREATE SCHEMA twilio_usage; {grants}")
    place = {name.removeprefix("TARGET_"): value for name, value in address(warehouse).items()}
    environment = {name: place[name] for name in TOOLBOX["env"]} | {"POSTGRES_USER": "agent"}
    writes = "DELETE FROM tap_twilio_usage.accounts"
    *found, (refused,) = ask(
        {**TOOLBOX, "env": environment}, "execute_sql", [*QUESTIONS, writes], tmp_path
    )
    rows = [[json.loads(row, parse_float=Decimal).values() for row in each] for each in found]
    days = [[[*map(without_time, row)] for row in each] for each in rows]
    assert [texts(each) for each in days] == [texts(each) for each in answers()]
    assert "permission denied" in refused


def without_time(cell: Any) -> Any:
    return cell.removesuffix("T00:00:00Z") if isinstance(cell, str) else cell


def texts(rows: Iterable[Iterable[Any]]) -> list[list[str]]:
    return [[f"{plain(cell)}" for cell in row] for row in rows]


def plain(cell: Any) -> Any:
    """Return an amount without zeros at its end; any other cell as it is."""
    try:
        return f"{Decimal(f'{cell}').normalize():f}"
    except ArithmeticError:
        return cell


DASHBOARD = json.loads((ROOT / "dashboards" / "grafana.json").read_text())
PANELS = {panel["title"]: panel["targets"][0]["rawSql"] for panel in DASHBOARD["panels"]}


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Grafana's types need Python 3.11")
def test_grafanas_own_types_know_each_field_of_the_dashboard() -> None:
    from grafana_foundation_sdk.cog.encoder import JSONEncoder  # noqa: PLC0415
    from grafana_foundation_sdk.cog.plugins import register_default_plugins  # noqa: PLC0415
    from grafana_foundation_sdk.models.dashboard import Dashboard  # noqa: PLC0415

    register_default_plugins()  # the options of each kind of panel too
    again = json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(DASHBOARD)))
    assert lost(DASHBOARD, again) == []


def lost(before: Any, after: Any, path: str = "") -> list[str]:
    """Return the places of what is in `before` and not in `after`."""
    if isinstance(before, dict):
        return [
            place
            for name, value in before.items()
            for place in lost(value, (after or {}).get(name), f"{path}.{name}")
        ]
    if isinstance(before, list):
        if not isinstance(after, list) or len(after) != len(before):
            return [path]
        pairs = zip(before, after, strict=True)
        return [place for pair in pairs for place in lost(*pair, f"{path}[]")]
    return [] if before == after else [path]


def test_each_panel_of_the_dashboard_shows_what_was_spent(warehouse: str) -> None:
    def shown(sql: str) -> Rows:
        sql = re.sub(r"\$__timeFilter\((\w+)\)", r"\1 BETWEEN '2025-09-01' AND '2025-09-30'", sql)
        with psycopg.connect(warehouse) as connection:
            return connection.execute(sql.replace("$currency", "usd")).fetchall()

    assert shown(PANELS["Spend of the period"]) == [(total(SEPTEMBER),)]
    ((average,),) = shown(PANELS["Average of a day"])
    assert round(average, 2) == round(total(SEPTEMBER) / 30, 2)
    assert shown(PANELS["Days that differ from Twilio's total"]) == [(0,)]
    series = {
        (day.date(), name): spend for day, name, spend in shown(PANELS["Spend by day and service"])
    }
    assert series == added(SEPTEMBER, lambda cost: (cost.day, cost.service))
    categories = {name: spend for name, _, spend in shown(PANELS["Most expensive categories"])}
    assert categories == dict(descending(added(SEPTEMBER, lambda cost: cost.category))[:50])
    accounts = {name: amount for name, amount in shown(PANELS["Accounts"]) if amount}
    assert accounts == added(SEPTEMBER, lambda cost: cost.account)
    (currency,) = (
        variable["query"]
        for variable in DASHBOARD["templating"]["list"]
        if variable["name"] == "currency"
    )
    assert shown(currency) == [("usd",)]


def test_nothing_of_the_dashboard_is_of_one_machine() -> None:
    text = json.dumps(DASHBOARD)
    assert "${datasource}" in text
    assert not re.search("https?://", text)
    assert sys.getsizeof(text) < 20_000
