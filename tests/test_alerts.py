"""The command that says what is wrong: real receivers of HTTP and mail, and both warehouses."""

from __future__ import annotations

import math
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import psycopg
import pytest
from aiosmtpd.controller import Controller
from hypothesis import given
from hypothesis import strategies as st

from sandbox import AUTH_TOKEN, MAIN_SID, Company, Server
from tap_twilio_usage.alerts.__main__ import main
from tap_twilio_usage.alerts.alert import doublings
from tap_twilio_usage.alerts.balance import lasting
from tap_twilio_usage.alerts.today import History, usual
from tests.canary import leaks
from tests.conftest import ROOT, blocks, catalog_of, clean_environment, config, forked_in, nightly
from tests.http_server import Answer, LocalServer, Request, serve

TODAY = date(2025, 9, 10)
WIKI = "https://github.com/caronc/apprise/wiki"
SECRET = "s3cret-canary-of-the-url"
MODELS = """
    CREATE SCHEMA twilio_usage;
    CREATE TABLE twilio_usage.reconciliation (account_sid TEXT, start_date DATE);
    CREATE TABLE twilio_usage.anomalies (
        account_sid TEXT, service TEXT, category TEXT, start_date DATE, price_unit TEXT,
        cost DECIMAL(38, 12), expected DECIMAL(38, 12), low DECIMAL(38, 12), high DECIMAL(38, 12),
        score DECIMAL(38, 12), excess_cost DECIMAL(38, 12), kind TEXT
    );
    CREATE TABLE twilio_usage.budget_status (
        budget_id TEXT, scope TEXT, period_start DATE, period_end DATE, currency TEXT,
        amount DECIMAL(38, 12), actual DECIMAL(38, 12), forecast DECIMAL(38, 12),
        forecast_low DECIMAL(38, 12), forecast_high DECIMAL(38, 12), status TEXT
    );
    CREATE TABLE twilio_usage.reconciliation_by_month (
        account_sid TEXT, month DATE, price_unit TEXT, days_expected INTEGER, days_loaded INTEGER,
        daily_total DECIMAL(38, 12), monthly_total DECIMAL(38, 12),
        difference_monthly DECIMAL(38, 12), status TEXT
    );
    INSERT INTO twilio_usage.reconciliation VALUES ('AC1', '2025-09-09');
"""
LOADED = """
    CREATE SCHEMA tap_twilio_usage;
    CREATE TABLE tap_twilio_usage.accounts (
        account_sid TEXT, friendly_name TEXT, owner_account_sid TEXT
    );
    INSERT INTO tap_twilio_usage.accounts VALUES
        ('AC1', 'Shop', 'AC1'), ('AC2', 'Support', 'AC1'), ('AC9', NULL, 'AC9');
"""
WRONG = """
    INSERT INTO twilio_usage.anomalies VALUES
        ('AC2', 'S', 'sms-outbound', '2025-09-09', 'USD', 812.405, 20.31, 12, 28, 9, 792, 'spike'),
        ('AC9', 'Voice', 'calls-sip', '2025-09-08', 'USD', 80, 0, 0, 5, 9, 80, 'new_category'),
        ('AC1', 'Voice', 'calls', '2025-09-08', 'USD', 120, 99, 90, 110, 9, 20, 'price_change'),
        ('AC1', 'Verify', 'pv', '2025-09-07', 'EUR', 0.0000001, 30, 25, 35, -9, -30, 'drop'),
        ('AC1', 'Verify', 'pv', '2025-08-01', 'EUR', 900, 30, 25, 35, 9, 870, 'spike');
    INSERT INTO twilio_usage.budget_status VALUES
        ('all', 'all', '2025-09-01', '2025-09-30', 'USD', 1000, 400, 1180, 1000, 1300, 'at_risk'),
        ('shop', 'account', '2025-09-01', '2025-09-30', 'USD', 100, 140, 450, 400, 500, 'over'),
        ('fine', 'account', '2025-09-01', '2025-09-30', 'USD', 100, 10, 50, 40, 60, 'ok'),
        ('none', 'account', '2025-09-01', '2025-09-30', 'USD', NULL, 10, 50, 40, 60, 'no_budget'),
        ('old', 'account', '2025-08-01', '2025-08-31', 'USD', 1, 10, 10, 10, 10, 'over');
    INSERT INTO twilio_usage.reconciliation_by_month VALUES
        ('AC2', '2025-08-01', 'USD', 31, 17, 40, 90, 50, 'days_missing'),
        ('AC1', '2025-08-01', 'USD', 31, 31, 90, 91.5, 1.5, 'different'),
        ('AC1', '2025-07-01', 'USD', 31, 31, 90, NULL, NULL, 'month_missing'),
        ('AC1', '2025-09-01', 'USD', 30, 9, 90, 90, 0, 'open');
"""
BUDGETS = [
    (
        "budget all, 2025-09-01 to 2025-09-30: at_risk: 400.00 USD of 1,000.00 USD spent, forecast "
        "1,180.00 USD (from 1,000.00 to 1,300.00)"
    ),
    "budget shop, 2025-09-01 to 2025-09-30: over: 140.00 USD of 100.00 USD spent",
]
MONTHS = [
    (
        "2025-07 Shop (AC1): month_missing: Twilio has no total of the month; its days add up to "
        "90.00 USD"
    ),
    (
        "2025-08 Shop (AC1): different: Twilio's total of the month is 1.50 USD more than the "
        "90.00 USD of its days"
    ),
    "2025-08 Support (AC2): days_missing: 17 of 31 days are loaded",
]
LINES = [
    "2025-09-07 Shop (AC1): pv cost 0.0000001 EUR, expected 30.00 EUR (drop)",
    "2025-09-08 Shop (AC1): calls cost 120.00 USD, 20.00 USD of it by another price (price_change)",
    "2025-09-08 AC9: calls-sip cost 80.00 USD, and nothing before (new_category)",
    "2025-09-09 Support (AC2): sms-outbound cost 812.40 USD, expected 20.31 USD (spike)",
    *BUDGETS,
    *MONTHS,
]


class Warehouse:
    """A database to fill and change, and the command that reads it."""

    def __init__(self, url: str, execute: Callable[[str], Any]) -> None:
        self.url = url
        self.execute = execute

    def alerts(self, *options: str) -> int:
        """Return the exit code."""
        with pytest.raises(SystemExit) as ended:
            main([f"--url={self.url}", *options], TODAY)
        if isinstance(ended.value.code, str):
            sys.stderr.write(f"{ended.value.code}\n")
            return 1
        assert isinstance(ended.value.code, int)
        return ended.value.code


@pytest.fixture
def duck(tmp_path: Path) -> Warehouse:
    path = tmp_path / "w.duckdb"

    def execute(statement: str) -> Any:
        with duckdb.connect(path) as connection:
            return connection.execute(statement).fetchall()

    warehouse = Warehouse(f"duckdb:///{path}", execute)
    warehouse.execute(MODELS + LOADED)
    return warehouse


@pytest.fixture
def postgresql(database: str) -> Warehouse:
    def execute(statement: str) -> Any:
        with psycopg.connect(database) as connection:
            done = connection.execute(statement)
            return done.fetchall() if done.description else None

    warehouse = Warehouse(database, execute)
    warehouse.execute(MODELS + LOADED)
    return warehouse


Said = pytest.CaptureFixture[str]


def test_each_thing_that_is_wrong_is_one_line(duck: Warehouse, capsys: Said) -> None:
    assert duck.alerts() == 0
    assert capsys.readouterr() == ("", "")
    duck.execute(WRONG)
    assert duck.alerts() == 3
    assert capsys.readouterr() == ("\n".join(LINES) + "\n", "")
    assert duck.alerts("--exit-zero") == 0
    assert duck.alerts("--only=budgets", "--days=365") == 3
    assert "budget old" in capsys.readouterr().out
    assert duck.execute(
        "SELECT COUNT(*) FROM duckdb_tables() WHERE table_name = 'alerts_sent'"
    ) == [(0,)]


def test_a_warehouse_that_is_not_loaded_any_more_is_said(duck: Warehouse, capsys: Said) -> None:
    duck.execute("UPDATE twilio_usage.reconciliation SET start_date = '2025-09-07'")
    assert duck.alerts() == 3
    assert capsys.readouterr().out == (
        "no day after 2025-09-07 is in the models; check the nightly load, and dbt build\n"
    )


def refuse(_: Request) -> Answer:
    return Answer(status=503)


def accept(_: Request) -> Answer:
    return Answer.json({})


def hook(server: LocalServer, path: str = "hook") -> str:
    return f"--notify=json://user:{SECRET}@127.0.0.1:{server.server_port}/{path}"


def sent(server: LocalServer) -> list[list[str]]:
    """Return the lines of each message so far, and forget them."""
    taken = [request.json["message"].splitlines() for request in server.requests]
    server.requests.clear()
    return taken


@pytest.mark.parametrize("kind", ["duck", "postgresql"])
def test_a_thing_is_sent_once_and_again_when_it_is_worse(
    kind: str, request: pytest.FixtureRequest, capsys: Said
) -> None:
    warehouse: Warehouse = request.getfixturevalue(kind)
    warehouse.execute(WRONG)
    with serve(accept) as server:
        assert warehouse.alerts(hook(server)) == 3
        first = server.requests[0]
        assert (first.json["title"], first.json["type"]) == ("Twilio: 9 alerts", "warning")
        assert sent(server) == [LINES]
        assert warehouse.alerts(hook(server)) == 3
        assert sent(server) == []
        warehouse.execute(
            "UPDATE twilio_usage.budget_status SET status = 'over' WHERE budget_id = 'all';"
            "UPDATE twilio_usage.budget_status SET status = 'at_risk' WHERE budget_id = 'shop';"
            "UPDATE twilio_usage.anomalies SET cost = 1900 WHERE category = 'sms-outbound';"
            "UPDATE twilio_usage.anomalies SET cost = 81 WHERE category = 'calls-sip'"
        )
        assert warehouse.alerts(hook(server)) == 3
        ((spike, budget),) = sent(server)
        assert "sms-outbound cost 1,900.00 USD" in spike
        assert budget.startswith("budget all, 2025-09-01 to 2025-09-30: over")
        assert warehouse.alerts(hook(server, "another")) == 3
        assert len(sent(server)[0]) == 9
    rows = warehouse.execute("SELECT * FROM twilio_usage.alerts_sent")
    assert len(rows) == 9 + 2 + 9
    assert not leaks(f"{rows}{capsys.readouterr()}", [SECRET])


def test_what_was_not_delivered_is_sent_again_and_only_there(duck: Warehouse, capsys: Said) -> None:
    duck.execute(WRONG)
    with serve(refuse) as broken, serve(accept) as working:
        both = hook(broken), hook(working)
        assert duck.alerts(*both) == 1
        said = capsys.readouterr()
        assert said.out.splitlines() == LINES
        assert said.err == (
            "alerts: notify URL 1 did not take every alert; the next run sends them again; for the "
            "reason, run apprise -vv -b test with the URL\n"
        )
        assert (sent(broken), sent(working)) == ([LINES], [LINES])
        assert duck.alerts(*both) == 1
        broken.answer = accept
        assert duck.alerts(*both) == 3
        assert (sent(broken), sent(working)) == ([LINES, LINES], [])
    duck.execute("DELETE FROM twilio_usage.alerts_sent")
    assert duck.alerts(*both) == 1  # nobody listens there
    assert "notify URL 1 and notify URL 2 did not" in capsys.readouterr().err
    assert duck.execute("SELECT * FROM twilio_usage.alerts_sent") == []
    assert not leaks(f"{said}{capsys.readouterr()}", [SECRET])


def test_many_alerts_are_several_messages_and_those_delivered_are_not_repeated(
    duck: Warehouse, capsys: Said
) -> None:
    for number in range(25):
        duck.execute(
            "INSERT INTO twilio_usage.budget_status VALUES "
            f"('b{number:02}', 'all', '2025-09-01', '2025-09-30', 'USD', 1, 2, 2, 2, 2, 'over')"
        )
    answers = iter([accept, refuse, accept, accept])
    with serve(lambda request: next(answers)(request)) as server:  # noqa: PLW0108
        assert duck.alerts(hook(server)) == 1
        parts = sent(server)
        assert [len(part) for part in parts] == [10, 10, 5]
        assert duck.alerts(hook(server)) == 3
        assert sent(server) == [parts[1]]
    capsys.readouterr()


@dataclass
class Mailbox:
    """Keeps what a mail server is handed."""

    messages: list[str] = field(default_factory=list)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        message = message_from_bytes(envelope.content, policy=default)
        body = message.get_body(("plain", "html"))
        assert body
        self.messages.append(f"{envelope.rcpt_tos} {message['Subject']}\n{body.get_content()}")
        return "250 OK"


@pytest.fixture
def mail() -> Iterator[tuple[Mailbox, int]]:
    box = Mailbox()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield box, port
    finally:
        controller.stop()


def test_alerts_are_sent_by_mail(
    duck: Warehouse, mail: tuple[Mailbox, int], capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    duck.execute(WRONG)
    box, port = mail
    to = f"mailto://127.0.0.1:{port}?from=tap@example.com&to=cfo@example.com&mode=insecure"
    monkeypatch.setenv("TAP_TWILIO_USAGE_ALERTS_NOTIFY", f" {to}&format=text  {to}&name=Other ")
    assert duck.alerts() == 3
    first, second = box.messages
    assert first.splitlines()[0] == "['cfo@example.com'] Twilio: 9 alerts"
    assert [line for line in LINES if line in first] == LINES
    assert "sms-outbound cost 812.40 USD" in second
    assert duck.alerts() == 3
    assert len(box.messages) == 2
    capsys.readouterr()


def test_the_command_ends_with_3_and_no_secret(duck: Warehouse) -> None:
    duck.execute(WRONG)
    command = Path(sys.executable).with_name("tap-twilio-usage-alerts")

    def run(*options: str, **more: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [command, *options],
            env={**clean_environment(), "TAP_TWILIO_USAGE_REPORT_URL": duck.url, **more},
            capture_output=True,
            text=True,
            check=False,
        )
        assert not leaks(done.stdout + done.stderr, [SECRET])
        return done

    with serve(refuse) as server:
        done = run(TAP_TWILIO_USAGE_ALERTS_NOTIFY=hook(server).removeprefix("--notify="))
    assert done.returncode == 1
    *_, line = done.stderr.splitlines()
    assert line.startswith("alerts: notify URL 1 did not take every alert")
    done = run("--only=months")
    assert (done.returncode, done.stdout.splitlines(), done.stderr) == (3, MONTHS, "")
    read, write = os.pipe()
    os.close(read)  # nobody reads what it prints
    unread = subprocess.run(
        [command, "--only=months", "--url", duck.url],
        stdout=write,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(write)
    assert (unread.returncode, unread.stderr) == (3, b"")
    for wrong in (["--notfy", f"json://{SECRET}"], [f"--noti=json://{SECRET}"], [SECRET]):
        assert run(*wrong).returncode == 2
    assert run("--days", SECRET).returncode == 2
    done = run("--only=months", "--notify", f"nonsense://{SECRET}/{SECRET}")
    assert (done.returncode, done.stdout, done.stderr) == (
        1,
        "",
        f"alerts: notify URL 1 is not a URL that Apprise knows; see {WIKI}\n",
    )


def test_what_is_missing_is_one_line(
    duck: Warehouse, capsys: Said, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def said(*options: str, code: int = 1) -> str:
        capsys.readouterr()
        assert duck.alerts(*options) == code
        return capsys.readouterr().err

    instead = "build the dbt models, or use --schema\n"
    assert said("--schema=other") == (
        "alerts: no table reconciliation, anomalies, budget_status, reconciliation_by_month in "
        f"schema other; {instead}"
    )
    load = "load this stream, or use --raw-schema\n"
    assert said("--only=today") == (
        "alerts: no table usage_records_today in schema tap_twilio_usage or in the default schema; "
        f"{load}"
    )
    assert said("--only=balance", "--raw-schema=raw") == (
        f"alerts: no table balance in schema raw; {load}"
    )
    duck.execute("DROP TABLE twilio_usage.anomalies")
    assert said(code=0) == f"alerts: no table anomalies in schema twilio_usage; {instead}"
    duck.execute("DELETE FROM twilio_usage.reconciliation")
    empty = "alerts: twilio_usage.reconciliation is empty; load it first\n"
    assert said(code=0).endswith(f"{instead}{empty}")
    assert said("--only=fresh", "--only=budgets") == empty
    duck.execute(TABLE.format(name="usage_records_today", date="DATE"))
    assert "usage_records_today" not in said(code=0)
    assert said("--only=today").endswith("usage_records_today is empty; load it first\n")
    for name in ("TAP_TWILIO_USAGE_REPORT_URL", "TARGET_POSTGRES_DATABASE", "TARGET_DUCKDB_PATH"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == (
        "alerts: no warehouse is given; use --url, or set TARGET_POSTGRES_DATABASE or "
        "TARGET_DUCKDB_PATH"
    )
    monkeypatch.setitem(sys.modules, "apprise", None)
    assert said("--notify=json://localhost") == (
        "alerts: apprise is not installed; pip install 'tap-twilio-usage[alerts]'\n"
    )
    duck.url = f"duckdb:///{tmp_path / 'missing.duckdb'}"
    assert said().startswith(f"alerts: {duck.url}: ")
    assert not (tmp_path / "missing.duckdb").exists()


def test_a_table_that_cannot_be_written_is_said_before_anything_is_sent(
    postgresql: Warehouse, capsys: Said
) -> None:
    postgresql.execute(WRONG)
    name = postgresql.url.rpartition("/")[2]
    postgresql.execute(
        f'ALTER ROLE postgres IN DATABASE "{name}" SET default_transaction_read_only = on'
    )
    with serve(accept) as server:
        assert postgresql.alerts(hook(server)) == 1
        assert sent(server) == []
    assert "in a read-only transaction" in capsys.readouterr().err


TABLE = """
    CREATE TABLE tap_twilio_usage.{name} (
        account_sid TEXT, category TEXT, price_unit TEXT, start_date {date},
        deduplicated_price DECIMAL(38, 12), billing_kind TEXT
    )
"""
BURST_DAY = date(2025, 9, 10)
LEAKED = "AC" + "2".zfill(32)


def load(warehouse: Warehouse, records: dict[str, list[dict[str, Any]]], day_type: str) -> None:
    for name, rows in records.items():
        warehouse.execute(TABLE.format(name=name, date=day_type))
        values = ", ".join(
            f"('{row['account_sid']}', '{row['category']}', '{row['price_unit']}', "
            f"'{row['start_date']}', {row['deduplicated_price']}, '{row['billing_kind']}')"
            for row in rows
        )
        warehouse.execute(f"INSERT INTO tap_twilio_usage.{name} VALUES {values}")


@pytest.fixture(scope="module")
def burst(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """Return what the tap loads on the evening before a key leaks, and during that day."""
    sync = forked_in(tmp_path_factory.mktemp("burst"))
    company = Company(
        since=date(2025, 7, 1), today=BURST_DAY, categories=1, leaked_key_on=BURST_DAY
    )
    streams = ("usage_records_daily", "usage_records_today")
    with Server(company) as server:
        settings = config(
            server.url,
            account_sid=MAIN_SID,
            auth_token=AUTH_TOKEN,
            subaccounts="separate",
            start_date="2025-07-01",
            end_date=f"{BURST_DAY}",
        )
        catalog = catalog_of(sync(settings, "--discover").catalog, *streams)
        run = sync(settings, catalog=catalog)
    records = {name: run.records(name) for name in streams}
    before = f"{BURST_DAY}"
    records["usage_records_daily"] = [
        row for row in records["usage_records_daily"] if row["start_date"] < before
    ]
    return records


@pytest.mark.parametrize(("kind", "day_type"), [("duck", "TEXT"), nightly("postgresql", "DATE")])
def test_a_burst_is_said_the_same_day_and_again_when_it_has_doubled(
    kind: str,
    day_type: str,
    burst: dict[str, list[dict[str, Any]]],
    request: pytest.FixtureRequest,
    capsys: Said,
) -> None:
    """Whether loaded by target-duckdb, with days as text, or by target-postgres."""
    warehouse: Warehouse = request.getfixturevalue(kind)
    load(warehouse, burst, day_type)
    today = "UPDATE tap_twilio_usage.usage_records_today SET deduplicated_price = "
    with serve(accept) as server:
        assert warehouse.alerts("--only=today", hook(server)) == 3
        ((line, *others),) = sent(server)
        assert line.startswith(f"2025-09-10 {LEAKED}: ")
        assert all(f" {LEAKED}: " in each for each in others)  # and no other account
        warehouse.execute(f"{today} deduplicated_price * 1.01")
        assert warehouse.alerts("--only=today", hook(server)) == 3
        assert sent(server) == []
        warehouse.execute(
            f"{today} deduplicated_price * 2 "
            f"WHERE account_sid = '{LEAKED}' AND category LIKE 'sms-%'"
        )
        assert warehouse.alerts("--only=today", hook(server)) == 3
        assert [len(part) for part in sent(server)] == [1 + len(others)]
        # The next morning, the model has the same day.
        category = line.split()[2]
        warehouse.execute(
            "INSERT INTO twilio_usage.anomalies SELECT account_sid, '', category, "
            "CAST(start_date AS DATE), 'USD', deduplicated_price, 1, 0, deduplicated_price, 9, "
            "deduplicated_price, 'spike' FROM tap_twilio_usage.usage_records_today "
            f"WHERE category = '{category}' AND account_sid = '{LEAKED}'"
        )
        assert warehouse.alerts("--only=anomalies", hook(server)) == 3
        assert sent(server) == []
    out, err = capsys.readouterr()
    assert f"{category} cost " in out
    assert err == ""
    warehouse.execute("UPDATE tap_twilio_usage.usage_records_today SET start_date = '2025-09-09'")
    warehouse.alerts("--only=today")
    assert capsys.readouterr().err == (
        "alerts: usage_records_today is of 2025-09-09, not of today; load it before this check\n"
    )


def test_a_usual_day_is_not_said(
    duck: Warehouse, burst: dict[str, list[dict[str, Any]]], capsys: Said
) -> None:
    """The day before the leak, the 1st with its fees, and a Monday after a Sunday."""
    days = burst["usage_records_daily"]
    load(duck, {"usage_records_daily": days}, "TEXT")
    for day in ("2025-09-09", "2025-09-01", "2025-09-08"):
        today = [row for row in days if row["start_date"] == day]
        load(duck, {"usage_records_today": today}, "TEXT")
        assert duck.alerts("--only=today") == 0, capsys.readouterr()
        duck.execute("DROP TABLE tap_twilio_usage.usage_records_today")


SPENT = f"""
    {TABLE.format(name="usage_records_daily", date="DATE")};
    CREATE TABLE tap_twilio_usage.balance (
        account_sid TEXT, balance DECIMAL(38, 12), currency TEXT, retrieved_on DATE
    );
    INSERT INTO tap_twilio_usage.balance VALUES
        ('AC1', 900, 'USD', '2025-09-09'), ('AC1', 20, 'USD', '2025-09-10');
    INSERT INTO tap_twilio_usage.usage_records_daily VALUES
        ('AC1', 'sms', 'usd', '2025-09-02', 700, 'usage'), -- eight days ago
        ('AC1', 'sms', 'usd', '2025-09-03', 21, 'usage'),
        ('AC2', 'sms', 'usd', '2025-09-09', 7, 'usage'), -- a subaccount
        ('AC1', 'sms', 'eur', '2025-09-09', 99, 'usage'),
        ('AC1', 'sms', 'usd', '2025-09-10', 70, 'usage'); -- today
"""
(LASTS,) = (query for query in blocks(ROOT / "docs" / "alerts.md", "sql") if "balance" in query)


def test_a_balance_that_does_not_last_is_said_once_a_day(
    postgresql: Warehouse, capsys: Said
) -> None:
    postgresql.execute(SPENT)
    ((account, day, balance, currency, a_day, days),) = postgresql.execute(LASTS)
    assert (account, f"{day}", balance, currency, a_day, days) == (
        *("AC1", "2025-09-10", 20, "USD", 4, 5),
    )
    with serve(accept) as server:
        assert postgresql.alerts("--only=balance", hook(server)) == 3
        assert postgresql.alerts("--only=balance", hook(server)) == 3
        assert sent(server) == [
            ["2025-09-10 Shop (AC1): a balance of 20.00 USD lasts 5.0 days at 4.00 USD a day"]
        ]
        postgresql.execute("UPDATE tap_twilio_usage.balance SET retrieved_on = '2025-09-11'")
        assert postgresql.alerts("--only=balance", hook(server)) == 3
        assert len(sent(server)) == 1
    assert postgresql.alerts("--only=balance", "--balance-days=5") == 0
    capsys.readouterr()


def test_the_usage_of_a_subaccount_is_its_owners() -> None:
    def rows(*values: tuple[str, str, str]) -> list[Any]:
        return [
            SimpleNamespace(
                account_sid=sid,
                balance=amount,
                spent=amount,
                currency=unit,
                price_unit=unit,
                retrieved_on="today",
            )
            for sid, amount, unit in values
        ]

    spent = rows(("AC1", "7", "usd"), ("AC3", "14", "usd"), ("AC2", "70", "usd"))
    balances = rows(("AC1", "6", "USD"), ("AC2", "-1", "USD"), ("AC4", "9", "USD"))
    found = lasting(balances, spent, {"AC3": "AC1"})
    assert [f"{each.account} {each.a_day} {each.days}" for each in found] == [
        "AC1 3 2",
        "AC2 10 0",
        "AC4 0 None",
    ]


AMOUNTS = st.lists(st.floats(0, 1e6), min_size=8, max_size=8)


@given(AMOUNTS, st.floats(0, 1e7))
def test_one_day_of_eight_does_not_hide_a_burst(amounts: list[float], before: float) -> None:
    def of(values: Sequence[float]) -> float:
        return usual(History(values, max(values), 56, 56), 5).high

    largest = max(range(8), key=amounts.__getitem__)
    burst = [*amounts]
    burst[largest] = max(before, amounts[largest])
    assert of(burst) == of(amounts)
    assert of(amounts) >= sum(sorted(amounts)[1:-1]) / 6 + 4.99


@pytest.mark.parametrize(
    ("history", "high"),
    [
        (History(), 5),
        (History(days_loaded=13), math.inf),
        (History(days_loaded=14), 5),
        (History(days_loaded=34, is_fee=True), math.inf),
        (History([0] * 8, 100, 56, 2), 150),  # seldom
        (History([0] * 8, 4, 56, 2), 9),
        (History([20] * 8, 100, 56, 56, is_fee=True), 150),
        (History([20, 30], 40, 14, 14), 85),  # young
        (History([], 40, 5, 5), 85),
        (History([100] * 8, 100, 56, 56), 125),  # regular
        (History([10] * 8, 10, 56, 56), 15),
        (History([0, 80, 80, 80, 120, 120, 120, 900], 900, 56, 56), 260),
    ],
)
def test_the_most_that_a_day_usually_costs(history: History, high: float) -> None:
    assert usual(history, 5).high == pytest.approx(high)


@pytest.mark.parametrize(
    ("cost", "high", "level"), [(11, 10, 1), (19.9, 10, 1), (20, 10, 2), (45, 10, 3), (9, 0, 1)]
)
def test_a_cost_is_said_again_each_time_it_has_doubled(
    cost: float, high: float, level: int
) -> None:
    assert doublings(cost, high) == level
