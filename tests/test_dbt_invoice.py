"""The dbt models of invoices: against the sandbox's truth, and in small worlds of their own."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import psycopg
import pytest

from docs import invoice_picture as picture
from sandbox import MAIN_SID, Company, Server
from sandbox.catalogue import NEW_CATEGORIES, TREE
from sandbox.invoice import Invoice, invoice
from tap_twilio_usage.invoice.__main__ import main
from tap_twilio_usage.invoice.line import Line
from tap_twilio_usage.money.hierarchy import UNKNOWN_SERVICE, shipped
from tests.conftest import ROOT, Meltano, Rows, blocks
from tests.test_dbt import build, of_package, service

MONTH, LAST, TODAY = date(2025, 9, 1), date(2025, 9, 30), date(2025, 10, 5)
FEE = Decimal("12.345")
DOLLARS = "DECIMAL(38, 12)"
TABLES = {
    "invoice_lines": "invoice_id TEXT, period_start DATE, period_end DATE, account_sid TEXT, "
    f"item_group TEXT, item TEXT, quantity {DOLLARS}, amount {DOLLARS}, currency TEXT, kind TEXT, "
    "raw TEXT",
    "invoice_item_groups": "priority INT, item_group TEXT, item TEXT, service TEXT",
    "stg_twilio_usage__categories": "category TEXT, description TEXT, service TEXT",
    "stg_twilio_usage__accounts": "account_sid TEXT, friendly_name TEXT, owner_account_sid TEXT",
    "cost_by_day": "account_sid TEXT, start_date DATE, service TEXT, price_unit TEXT, "
    f"cost {DOLLARS}",
    # The test of the sums reads it.
    "reconciliation": f"account_sid TEXT, start_date DATE, price_unit TEXT, total {DOLLARS}",
    "stg_twilio_usage__usage_records_daily": "account_sid TEXT, start_date DATE, price_unit TEXT, "
    f"deduplicated_price {DOLLARS}",
    "int_twilio_usage__day_totals": "account_sid TEXT, start_date DATE, price_unit TEXT, "
    f"attributed {DOLLARS}, unattributed {DOLLARS}",
    "stg_twilio_usage__usage_reconciliation": "account_sid TEXT, start_date DATE, end_date DATE, "
    f"price_unit TEXT, days_expected INT, monthly_total {DOLLARS}, as_of TIMESTAMP",
}
MODELS = (
    *("int_twilio_usage__invoice_lines", "int_twilio_usage__invoice_months"),
    *("reconciliation_by_month", "int_twilio_usage__invoice_days", "invoice_reconciliation"),
)
TESTS = (
    *("invoice_lines_are_valid", "invoice_item_groups_are_valid"),
    *("invoices_add_up", "reasons_add_up_to_the_difference"),
)
Execute = Callable[[str], Any]
Key = tuple[object, ...]


class Cost(NamedTuple):
    """What a service costs an account on a day."""

    sid: str
    day: date
    service: str
    cost: Decimal
    unit: str = "USD"


class World(NamedTuple):
    """What is loaded, apart from the invoices; monthly totals that are not given are the sums."""

    costs: Iterable[Cost]
    accounts: Iterable[tuple[str, str, str]] = ()
    monthly: Mapping[tuple[str, date], Decimal] = {}


def literal(value: object) -> str:
    return "NULL" if value in (None, "") else "'{}'".format(str(value).replace("'", "''"))


def fill(execute: Execute, table: str, rows: Iterable[Iterable[object]]) -> None:
    execute(f"CREATE TEMP TABLE {table} ({TABLES[table]})")
    values = [f"({', '.join(map(literal, row))})" for row in rows]
    for start in range(0, len(values), 1000):
        execute(f"INSERT INTO {table} VALUES {', '.join(values[start : start + 1000])}")


def seed(name: str) -> list[list[str]]:
    with (ROOT / "dbt" / "seeds" / f"{name}.csv").open(newline="") as file:
        return list(csv.reader(file))[1:]


def reconcile(execute: Execute, compiled: Path, world: World, lines: list[list[str]]) -> None:
    """Create the models as tables, and check that the tests of the package find nothing."""
    costs = list(world.costs)
    days: defaultdict[Key, Decimal] = defaultdict(Decimal)
    months: defaultdict[tuple[str, date, str], Decimal] = defaultdict(Decimal)
    for sid, day, _, cost, unit in costs:
        days[sid, day, unit] += cost
        months[sid, day.replace(day=1), unit] += cost
    totals = [(*key, total) for key, total in days.items()]
    fill(execute, "invoice_lines", lines)
    fill(execute, "invoice_item_groups", seed("invoice_item_groups"))
    categories = [(c.category, c.description, c.service) for c in shipped().categories.values()]
    unknown = [(name, TREE[name].description, UNKNOWN_SERVICE) for name in NEW_CATEGORIES]
    fill(execute, "stg_twilio_usage__categories", [*categories, *unknown])
    fill(execute, "stg_twilio_usage__accounts", world.accounts)
    fill(execute, "cost_by_day", ((c.sid, c.day, c.service, c.unit, c.cost) for c in costs))
    fill(execute, "reconciliation", totals)
    fill(execute, "stg_twilio_usage__usage_records_daily", totals)
    fill(execute, "int_twilio_usage__day_totals", ((*each, 0) for each in totals))
    fill(
        execute,
        "stg_twilio_usage__usage_reconciliation",
        (
            (
                *(sid, month, month + timedelta(days=29), unit, 30),
                world.monthly.get((sid, month), total),
                month + timedelta(days=40),
            )
            for (sid, month, unit), total in months.items()
        ),
    )
    for name in MODELS:
        (path,) = (compiled / "models").rglob(f"{name}.sql")
        execute(f"CREATE TEMP TABLE {name} AS {of_package(path)}")
    for name in TESTS:
        rows = execute(of_package(compiled / "tests" / f"{name}.sql")).fetchall()
        assert rows == [], name


def lines_of(written: Invoice, folder: Path) -> list[list[str]]:
    """Return the lines that the command makes of the sandbox's file."""
    path, output = folder / written.file_name, folder / "invoice_lines.csv"
    path.write_text(written.csv(), newline="")
    main([f"{path}", f"--output={output}"])
    with output.open(newline="") as file:
        return list(csv.reader(file))[1:]


def new_company() -> Company:
    return Company(
        today=TODAY,
        since=date(2025, 7, 20),
        categories=60,
        new_category_from=date(2025, 9, 15),
        late_fees={MONTH: FEE},
    )


def expected(written: Invoice) -> dict[Key, tuple[Decimal, Decimal]]:
    """Return the sandbox's truth by item group and reason: on the invoice, and in the usage."""
    truth: defaultdict[Key, list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for line in written.lines:
        name = line.usage_category
        group = service(name) if name else line.group
        if line.reason == "late":
            group, late = "SMS & MMS", FEE
            truth[group, "late"][0] += late
            truth[group, "rounding"][0] += line.amount - late  # the invoice has cents
        else:
            truth[group, line.reason][0] += line.amount
            truth[group, line.reason][1] += line.reported
    return {key: (charged, used) for key, (charged, used) in truth.items()}


def spend(company: Company, *, separate: bool) -> Iterable[Cost]:
    for account in company.accounts() if separate else company.accounts()[:1]:
        for number in range((TODAY - company.since).days + 1):
            day = company.since + timedelta(days=number)
            by_service: defaultdict[str, Decimal] = defaultdict(Decimal)
            found = company.truth(day, account.sid, include_subaccounts=not separate)
            for category, cost in found.items():
                by_service[service(category)] += cost
            for name, cost in by_service.items():
                yield Cost(account.sid, day, name, cost)


@pytest.mark.parametrize("subaccounts", ["separate", "rolled_up"])
@pytest.mark.parametrize("engine", ["postgres", "duckdb"])
def test_the_reasons_are_the_truth_of_the_sandbox(
    compiled: Path, database: str, tmp_path: Path, engine: str, subaccounts: str
) -> None:
    company = new_company()
    written = invoice(company, MONTH)
    assert {line.reason for line in written.lines} == {
        *("rounding", "tax", "credit", "not_in_api", "late")
    }
    lines = lines_of(written, tmp_path)
    assert sum(Decimal(line[7]) for line in lines) == written.total
    separate = subaccounts == "separate"
    costs = list(spend(company, separate=separate))
    accounts = company.accounts() if separate else ()
    in_september = sum(cost.cost for cost in costs if cost.sid == MAIN_SID and cost.day.month == 9)
    world = World(
        costs,
        [(each.sid, each.friendly_name, MAIN_SID) for each in accounts],
        {(MAIN_SID, MONTH): in_september + FEE},
    )
    with psycopg.connect(database) as server, closing(duckdb.connect()) as duck:
        execute: Execute = server.execute if engine == "postgres" else duck.execute
        reconcile(execute, compiled, world, lines)
        found = execute(
            "SELECT item_group, reason, invoice_amount, usage_amount, difference "
            "FROM invoice_reconciliation"
        ).fetchall()
        months = execute(
            "SELECT account_sid, invoice_total, difference_invoice FROM reconciliation_by_month "
            f"WHERE month = DATE '{MONTH}'"
        ).fetchall()
    truth = expected(written)
    assert {(group, reason): tuple(both) for group, reason, *both, _ in found} == truth
    assert all(charged - used == difference for *_, charged, used, difference in found)
    assert sum(row[4] for row in found) == written.total - sum(
        cost.cost for cost in costs if cost.day.month == 9
    )
    rounded = [
        charged - used for (_, reason), (charged, used) in truth.items() if reason == "rounding"
    ]
    assert any(rounded)
    charged_of: defaultdict[str, Decimal] = defaultdict(Decimal)
    for line in written.lines:
        if line.account and line.reason in {"rounding", "late"}:
            charged_of[line.account.sid if separate else MAIN_SID] += line.amount
    totals = {sid: total for sid, total, _ in months if total is not None}
    assert totals == charged_of
    daily: defaultdict[str, Decimal] = defaultdict(Decimal)
    for cost in costs:
        if cost.day.month == 9:
            daily[cost.sid] += cost.cost
    assert {sid: difference for sid, _, difference in months if sid in totals} == {
        sid: total - daily[sid] for sid, total in totals.items()
    }


A1, A2, B1, B2 = ("AC" + digit * 32 for digit in "1234")


def line(  # noqa: PLR0913
    group: str,
    amount: str,
    *,
    item: str = "",
    kind: str = "usage",
    account: str = A1,
    number: str = "IV1",
    unit: str = "USD",
    months: tuple[date, date] = (MONTH, LAST),
) -> list[str]:
    return [number, *map(str, months), account, group, item, "", amount, unit, kind, ""]


def cost(name: str, amount: str, *, sid: str = A1, day: int = 3, unit: str = "USD") -> Cost:
    return Cost(sid, MONTH.replace(day=day), name, Decimal(amount), unit)


def whole_month(sid: str = A1, name: str = "Voice", amount: str = "1") -> list[Cost]:
    return [cost(name, amount, sid=sid, day=day) for day in range(1, 31)]


Reconciled = Callable[..., dict[Key, str]]


@pytest.fixture
def reconciled(compiled: Path) -> Reconciled:
    """Return a function that returns the differences by invoice, group and reason, unless zero."""

    def run(
        costs: list[Cost],
        *lines: list[str],
        late: str | None = None,
        accounts: Iterable[tuple[str, str, str]] = (),
    ) -> dict[Key, str]:
        monthly = {}
        if late:
            total = sum((each.cost for each in costs if each.sid == A1), Decimal(0))
            monthly[A1, MONTH] = total + Decimal(late)
        with closing(duckdb.connect()) as duck:
            reconcile(duck.execute, compiled, World(costs, accounts, monthly), list(lines))
            rows: Rows = duck.execute(
                "SELECT invoice_id, item_group, reason, difference FROM invoice_reconciliation"
            ).fetchall()
        return {
            (number, group, reason): f"{difference.normalize():f}"
            for number, group, reason, difference in rows
            if difference
        }

    return run


def test_no_invoice_is_no_row(reconciled: Reconciled) -> None:
    assert reconciled(whole_month()) == {}


@pytest.mark.parametrize(
    ("group", "item", "found"),
    [
        ("Programmable Voice", "", "Voice"),
        ("Voice", "", "Voice"),
        ("VOICE", "", "Voice"),
        ("recording-storage", "", "Voice"),
        ("Total Call Minutes", "", "Voice"),  # the description of a category
        ("Anything", "calls-outbound", "Voice"),
        ("Anything", "Sms", "SMS & MMS"),
        ("Programmable Messaging", "WhatsApp Utility", "WhatsApp"),
        ("Programmable Messaging", "Outbound SMS", "SMS & MMS"),
        ("Phone Numbers", "Local", "Phone Numbers"),
        ("Voice Intelligence", "", "Voice Intelligence"),
        ("Something New", "Unheard Of", "Something New"),
        ("", "Unheard Of", "Unheard Of"),
    ],
)
def test_an_item_group_is_compared_with_its_service(
    reconciled: Reconciled, group: str, item: str, found: str
) -> None:
    assert reconciled([], line(group, "5", item=item)) == {("IV1", found, "unexplained"): "5"}
    is_known = found in {each.service for each in shipped().categories.values()}
    if is_known:
        assert reconciled([cost(found, "5")], line(group, "5", item=item)) == {}


@pytest.mark.parametrize(
    ("lines", "late", "reasons"),
    [
        ([line("Voice", "30.01")], None, {"rounding": "0.01"}),
        ([line("Voice", "30.02")], None, {"unexplained": "0.02"}),
        ([line("Voice", "15"), line("Voice", "15.02")], None, {"rounding": "0.02"}),
        ([line("Voice", "29")], None, {"unexplained": "-1"}),
        ([line("Voice", "32")], "2", {"late": "2"}),
        ([line("Voice", "31")], "2", {"late": "1"}),
        ([line("Voice", "33")], "2", {"late": "2", "unexplained": "1"}),
        ([line("Voice", "31.995")], "2", {"late": "2", "rounding": "-0.005"}),
        ([line("Voice", "29")], "2", {"unexplained": "-1"}),
        ([line("Voice", "28")], "-2", {"late": "-2"}),
        ([line("Voice", "30"), line("Voice", "5", kind="fee")], None, {"not_in_api": "5"}),
        ([line("Voice", "30"), line("Voice", "5", kind="fee")], "5", {"late": "5"}),
        (
            [line("Voice", "30"), line("Voice", "7", kind="fee")],
            "5",
            {"late": "5", "not_in_api": "2"},
        ),
        (
            [line("Voice", "35"), line("Voice", "7", kind="fee")],
            "5",
            {"late": "5", "not_in_api": "7"},
        ),
        (
            [line("Voice", "36"), line("Voice", "2", kind="fee")],
            "5",
            {"late": "5", "unexplained": "3"},
        ),
        (
            [line("Voice", "30.02"), line("Voice", "2", kind="tax")],
            None,
            {"tax": "2", "unexplained": "0.02"},
        ),
        ([line("Voice", "30"), line("Voice", "-4", kind="credit")], None, {"credit": "-4"}),
        ([line("Voice", "30"), line("Voice", "2", kind="tax")], None, {"tax": "2"}),
        ([line("Voice", "30"), line("Voice", "-1.5")], None, {"unexplained": "-1.5"}),
    ],
)
def test_each_reason(
    reconciled: Reconciled, lines: list[list[str]], late: str | None, reasons: dict[str, str]
) -> None:
    found = reconciled(whole_month(), *lines, late=late)
    assert found == {("IV1", "Voice", reason): amount for reason, amount in reasons.items()}


def test_what_is_late_goes_to_the_group_that_differs_by_it(reconciled: Reconciled) -> None:
    costs = [*whole_month(), cost("Video", "10"), cost("Fax", "1")]
    lines = [line("Voice", "80"), line("Video", "12"), line("Fax", "1.004")]
    assert reconciled(costs, *lines, late="2.003") == {
        ("IV1", "Voice", "unexplained"): "50",
        ("IV1", "Video", "late"): "2.003",
        ("IV1", "Video", "rounding"): "-0.003",
        ("IV1", "Fax", "rounding"): "0.004",
    }
    lines = [line("Voice", "33"), line("Video", "12"), line("Fax", "1")]
    assert reconciled(costs, *lines, late="4") == {
        ("IV1", "Voice", "late"): "3",
        ("IV1", "Video", "late"): "1",
        ("IV1", "Video", "unexplained"): "1",
    }


def test_a_month_that_is_not_whole_is_not_late(reconciled: Reconciled) -> None:
    costs = whole_month()
    part = (MONTH, MONTH.replace(day=15))
    found = reconciled(costs, line("Voice", "17", months=part), late="2")
    assert found == {("IV1", "Voice", "unexplained"): "2"}
    found = reconciled(costs[:20], line("Voice", "22"), late="2")  # days are missing
    assert found == {("IV1", "Voice", "unexplained"): "2"}


def test_flex_is_not_in_the_api_unless_it_has_spend(reconciled: Reconciled) -> None:
    flex = line("Flex", "100", item="Active User Hours")
    named = line("Flex", "50", item="Flex Named Users")
    assert reconciled([], flex, named) == {("IV1", "Flex", "not_in_api"): "150"}
    assert reconciled([cost("Flex", "99")], flex, named) == {
        ("IV1", "Flex", "not_in_api"): "50",
        ("IV1", "Flex", "unexplained"): "1",
    }


def test_usage_that_is_not_on_the_invoice_is_unexplained(reconciled: Reconciled) -> None:
    costs = [*whole_month(), cost("Video", "7")]
    found = reconciled(costs, line("Voice", "30"))
    assert found == {("IV1", "Video", "unexplained"): "-7"}


def test_a_currency_without_cents_is_rounded_to_its_unit(reconciled: Reconciled) -> None:
    costs = [cost("Voice", "30.4", unit="JPY"), cost("Voice", "1")]
    found = reconciled(costs, line("Voice", "30", unit="JPY"))
    assert found == {("IV1", "Voice", "rounding"): "-0.4"}


def test_each_account_belongs_to_one_invoice(reconciled: Reconciled) -> None:
    costs = [cost("Voice", "1", sid=A1), cost("Voice", "2", sid=A2)]
    costs += [cost("Voice", "4", sid=B1), cost("Voice", "8", sid=B2)]
    lines = [line("Voice", "3"), line("Voice", "12", account=B1, number="IV2")]
    owners = [(A1, "A", A1), (A2, "A's", A1), (B1, "B", B1), (B2, "B's", B1)]
    assert reconciled(costs, *lines, accounts=owners) == {}
    # A subaccount with an invoice of its own.
    own = [line("Voice", "1"), line("Voice", "2", account=A2, number="IV2")]
    assert reconciled(costs[:2], *own, accounts=owners) == {}
    # Nobody says whose A2 and B2 are.
    assert reconciled(costs, *lines) == {
        ("IV1", "Voice", "unexplained"): "2",
        ("IV2", "Voice", "unexplained"): "8",
    }
    # There is one invoice only.
    assert reconciled(costs, line("Voice", "15")) == {}
    # A second invoice of the same account and month: the days are compared with the larger.
    more = [line("Voice", "15"), line("Voice", "5", number="IV0")]
    assert reconciled(costs, *more, accounts=[*owners[:2], (B1, "B", A1), (B2, "B's", A1)]) == {
        ("IV0", "Voice", "unexplained"): "5"
    }


def test_an_invoice_has_the_days_of_its_accounts_and_periods(reconciled: Reconciled) -> None:
    costs = [*whole_month(A1), *whole_month(A2)]
    owners = [(A1, "A", A1), (A2, "A's", A1)]
    # Of one subaccount: the days of the main account and of the others are of no invoice.
    assert reconciled(costs, line("Voice", "30", account=A2), accounts=owners) == {}
    # Of a part of the month, for one account, and of all of it for another.
    half = (MONTH, MONTH.replace(day=15))
    parts = [line("Voice", "15", account=A2, months=half)]
    assert reconciled(costs, *parts, accounts=owners) == {}
    others = [(A1, "A", A1), (A2, "B", A2)]
    assert reconciled(costs, *parts, line("Voice", "30"), accounts=others) == {}
    # The main account's invoice has its subaccounts' days, also if one has lines of a part only.
    assert reconciled(costs, *parts, line("Voice", "45"), accounts=owners) == {}
    # With subaccounts rolled up, their lines are those of the one account that is loaded.
    assert reconciled(whole_month(A1), line("Voice", "30", account=A2), accounts=owners) == {}


def test_an_invoice_of_a_part_of_a_month_is_no_total_of_it(compiled: Path) -> None:
    first, second = (MONTH, MONTH.replace(day=15)), (MONTH.replace(day=16), LAST)
    halves = [line("Voice", "15", months=first), line("Voice", "15", months=second, number="IV2")]
    for lines, total in ((halves[:1], None), (halves, 30)):
        with closing(duckdb.connect()) as duck:
            reconcile(duck.execute, compiled, World(whole_month()), lines)
            found = duck.execute("SELECT invoice_total FROM reconciliation_by_month").fetchall()
        assert found == [(total,)]


def test_a_subaccount_that_is_not_loaded_counts_for_its_main_account(compiled: Path) -> None:
    costs = [cost("Voice", "1", sid=A1), cost("Voice", "4", sid=B1)]
    lines = [line("Voice", "3", account=A2), line("Voice", "4", account=B1)]
    owners = [(A1, "A", A1), (A2, "A's", A1), (B1, "B", B1)]
    with closing(duckdb.connect()) as duck:
        reconcile(duck.execute, compiled, World(costs, owners), lines)
        found = duck.execute(
            "SELECT account_sid, invoice_total, difference_invoice FROM reconciliation_by_month"
        ).fetchall()
    assert sorted(found) == [(A1, 3, 2), (B1, 4, 0)]


def test_a_line_may_have_the_name_of_its_account(reconciled: Reconciled) -> None:
    costs = [cost("Voice", "1", sid=A1), cost("Voice", "4", sid=B1)]
    lines = [line("Voice", "1", account="A"), line("Voice", "4", account="B", number="IV2")]
    assert reconciled(costs, *lines, accounts=[(A1, "A", A1), (B1, "B", B1)]) == {}
    found = reconciled(costs, *lines, accounts=[(A1, "A", A1), (B1, "A", B1)])
    assert found == {
        ("IV1", "Voice", "unexplained"): "1",
        ("IV2", "Voice", "unexplained"): "4",
    }


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *((name, "") for name in ("invoice_id", "period_start", "period_end", "amount")),
        *((name, "") for name in ("currency", "kind")),
        *(("period_start", f"{TODAY}"), ("kind", "Usage")),
    ],
)
def test_a_line_that_is_not_valid_fails(reconciled: Reconciled, column: str, value: str) -> None:
    broken = line("Voice", "1", item="x")
    broken[Line._fields.index(column)] = value
    with pytest.raises(AssertionError, match="invoice_lines_are_valid"):
        reconciled([cost("Voice", "1")], broken)


@pytest.mark.nightly
def test_the_sandbox_invoice_end_to_end_in_duckdb(meltano: Meltano, tmp_path: Path) -> None:
    company = new_company()
    written = invoice(company, MONTH)
    lines_of(written, tmp_path)
    seeds = meltano.project / "dbt" / "seeds" / "invoice_lines.csv"
    header = seeds.read_bytes()
    seeds.write_bytes((tmp_path / "invoice_lines.csv").read_bytes())
    warehouse = Path(meltano.environment["TARGET_DUCKDB_PATH"])
    try:
        with Server(company) as server:
            settings = {
                "TAP_TWILIO_USAGE_START_DATE": f"{MONTH}",
                "TAP_TWILIO_USAGE_END_DATE": f"{LAST}",
                "TAP_TWILIO_USAGE_API_URL": server.url,
            }
            tasks = ("tap-twilio-usage", "target-duckdb", "dbt-duckdb:build")
            code, log = build(meltano, *tasks, **settings)
    finally:
        seeds.write_bytes(header)
    assert code == 0, log
    (query,) = (q for q in blocks(ROOT / "docs" / "invoice.md", "sql") if "invoice_reco" in q)
    with closing(duckdb.connect(warehouse, read_only=True)) as connection:
        found = connection.execute(
            "SELECT item_group, reason, invoice_amount, usage_amount "
            "FROM twilio_usage.invoice_reconciliation"
        ).fetchall()
        answer = connection.execute(query).fetchall()
    assert {(group, reason): tuple(both) for group, reason, *both in found} == expected(written)
    assert sum(row[-1] for row in answer) == sum(row[2] - row[3] for row in found)


def test_the_picture_is_what_the_command_draws(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "docs.invoice_picture", f"{tmp_path}"]
    subprocess.run(command, check=True, cwd=ROOT)
    svg = (tmp_path / "invoice.svg").read_text()
    assert svg == (ROOT / "docs" / "invoice.svg").read_text()
    assert "](invoice.svg)" in (ROOT / "docs" / "invoice.md").read_text()
    texts = re.findall(">([^<]+)</text>", svg)
    numbers = [Decimal(text.replace(",", "")) for text in texts if re.fullmatch(r"[-+\d.,]+", text)]
    assert sum(numbers[:-1]) == numbers[-1] == invoice(picture.company(), MONTH).total
