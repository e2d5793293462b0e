"""Rebilling: what customers are charged adds up, and months that are closed stay as they were."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tap_twilio_usage.report.charges import main
from tests.charges import (
    CENT,
    Allowance,
    Customer,
    Plan,
    Use,
    World,
    charged,
    month_of,
    read_seeds,
    rounded,
)
from tests.charges_builds import CHARGES, NEVER, Models, Project
from tests.conftest import ROOT, Rows, blocks, clean_environment, install, once_for_all

UTILITIES = yaml.safe_load((ROOT / "meltano.yml").read_text())["plugins"]["utilities"]
ENGINES = ("dbt-duckdb", "dbt-postgres")
NEEDS = sorted({n for u in UTILITIES if u["name"] in ENGINES for n in u["pip_url"].split()})


@pytest.fixture(scope="session")
def dbt(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Return dbt with two adapters, installed once for all workers."""
    made = once_for_all(tmp_path_factory, worker_id, "dbt", lambda each: install(each, *NEEDS))
    return made / "bin" / "dbt"


@pytest.fixture
def project(dbt: Path, tmp_path: Path) -> Project:
    return Project(dbt, tmp_path)


@pytest.fixture(scope="session")
def models(dbt: Path, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Models]:
    """Return the models as they are compiled for tables that exist."""

    def compile_them(folder: Path) -> None:
        project = Project(dbt, folder)
        project.load(World())
        for command in (("build", "--exclude-resource-type=test"), ("compile",)):
            code, log = project.run(*command, closed_through=NEVER)
            assert code == 0, log

    compiled = once_for_all(tmp_path_factory, worker_id, "charges", compile_them)
    own = tmp_path_factory.mktemp("models") / "charges"
    shutil.copytree(compiled, own)
    found = Models(Project(dbt, own, is_made=True))
    yield found
    found.duck.close()


# Worlds ------------------------------------------------------------------------------------------

MONTHS = (date(2024, 2, 1), date(2025, 3, 1), date(2025, 4, 1))
ACCOUNTS = ("AC1", "AC2", "AC3", "AC4")
KINDS = ("channels", "sms", "sms-outbound", "sms-outbound-longcode", "calls", "phonenumbers")
FAMILIES = (("channels", "sms", "sms-outbound"), ("calls",), ("phonenumbers",))


def decimals(lowest: str, highest: str, places: int) -> st.SearchStrategy[Decimal]:
    return st.decimals(lowest, highest, places=places, allow_nan=False, allow_infinity=False)


days = st.builds(
    lambda month, n: month + timedelta(days=n), st.sampled_from(MONTHS), st.integers(0, 28)
)
uses = st.builds(
    Use,
    st.sampled_from(ACCOUNTS),
    days,
    st.sampled_from(KINDS),
    decimals("0", "99999", 3),
    st.one_of(decimals("-9", "999", 6), decimals("0", "1", 12), decimals("-0.02", "0.02", 3)),
    st.sampled_from(["USD", "USD", "EUR"]),
)


@st.composite
def plans_with_allowances(draw: st.DrawFn, plan_id: str) -> tuple[Plan, list[Allowance]]:
    plan = Plan(
        plan_id,
        None,
        draw(st.one_of(decimals("0", "500", 2), decimals("0", "3", 6))),
        draw(st.sampled_from(["USD", "USD", "EUR"])),
        draw(st.one_of(st.none(), decimals("0", "200", 6), st.just(Decimal(15)))),
    )
    chosen = [draw(st.sampled_from(f)) for f in FAMILIES if draw(st.booleans())]
    return plan, [
        Allowance(
            *(plan_id, category, None),
            draw(decimals("0", "20000", 2)),
            draw(st.one_of(decimals("0", "2", 6), decimals("0", "9", 2))),
        )
        for category in chosen
    ]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    plans = [draw(plans_with_allowances(name)) for name in ("a", "b")]
    customers = []
    for account in ACCOUNTS:
        # Who has the account, on which plan, and from when on; it may belong to nobody.
        changes = sorted(draw(st.sets(days, max_size=2)))
        bounds = [None, *changes, None]
        for first, following in pairwise(bounds):
            owner = draw(st.sampled_from([None, "Ada", "Bob"]))
            if owner:
                last = following and following - timedelta(days=1)
                plan = draw(st.sampled_from([None, "a", "b"]))
                customers.append(Customer(owner, None, account, plan, first, last))
    found: dict[tuple[str, date, str], Use] = {}
    for use in draw(st.lists(uses, max_size=25)):
        found.setdefault((use.account_sid, use.day, use.category), use)
    return World(
        [plan for plan, _ in plans],
        [allowance for _, allowances in plans for allowance in allowances],
        customers,
        one_currency_a_day(found.values()),
    )


def one_currency_a_day(uses: Iterable[Use]) -> list[Use]:
    first: dict[tuple[str, date], str] = {}
    return [
        use._replace(currency=first.setdefault((use.account_sid, use.day), use.currency))
        for use in uses
    ]


def check(world: World, rows: Rows) -> None:
    """Check the charges of a build anew: which lines there are, their amounts, and their costs."""
    expected = charged(world)
    found: defaultdict[Any, dict[Any, tuple[Decimal, ...]]] = defaultdict(dict)
    for customer, month, currency, line, plan_id, item, *numbers, is_closed in rows:
        assert (line, plan_id, item) not in found[customer, month, currency]
        found[customer, month, currency][line, plan_id, item] = tuple(numbers)
        assert not is_closed
    assert set(found) == set(expected)
    for bill, lines in expected.items():
        there = found[bill]
        assert set(there) == set(lines)
        whole = sum((line.amount for line in lines.values()), Fraction(0))
        assert sum(amount for *_, amount, _ in there.values()) == rounded(whole, CENT)
        for key, line in lines.items():
            quantity, unit_price, amount, cost = there[key]
            assert abs(Fraction(quantity) * Fraction(unit_price) - line.amount) < Fraction(
                1, 10**12
            )
            assert amount == round(amount, 2)
            assert abs(Fraction(amount) - line.amount) < Fraction(1, 100)
            assert abs(cost - line.cost) < Decimal("1e-8")
        # No line that is rounded down has a larger rest than one that is rounded up.
        rests = [
            (line.amount * 100 % 1, Fraction(there[key][2]) * 100 - line.amount * 100 > 0)
            for key, line in lines.items()
        ]
        raised = [rest for rest, is_raised in rests if is_raised]
        lowered = [rest for rest, is_raised in rests if not is_raised]
        assert not raised or not lowered or min(raised) >= max(lowered)
    totals: defaultdict[Any, Decimal] = defaultdict(Decimal)
    for use in world.uses:
        totals[month_of(use.day), use.currency] += use.cost
    costs: defaultdict[Any, Decimal] = defaultdict(Decimal)
    for row in rows:
        costs[row[1], row[2]] += row[9]
    assert {k: v for k, v in costs.items() if v} == {k: v for k, v in totals.items() if v}


@settings(max_examples=12, suppress_health_check=list(HealthCheck))
@given(world=worlds())
def test_lines_are_those_of_the_calculation_and_add_up_to_the_cent(
    models: Models, world: World
) -> None:
    rows = models.build(world, anew=True)
    check(world, rows)
    assert sorted(models.build(world), key=str) == sorted(rows, key=str)


# Closed months -----------------------------------------------------------------------------------

LAST_DAYS = (None, date(2024, 2, 28), date(2024, 2, 29), date(2025, 3, 31), date(2025, 4, 30))


def cumulative(rows: Rows) -> dict[Any, tuple[Decimal, Decimal]]:
    """Return what each customer was ever charged, and its cost, by currency."""
    found: defaultdict[Any, list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for customer, _, currency, *_, amount, cost, _ in rows:
        found[customer, currency][0] += amount
        found[customer, currency][1] += cost
    return {key: (amount, cost) for key, (amount, cost) in found.items() if amount or cost}


def calculated(world: World) -> dict[Any, tuple[Decimal, Decimal]]:
    """Return the same for months that were never closed."""
    rows: Rows = []
    for (customer, month, currency), lines in charged(world).items():
        amount = rounded(sum((line.amount for line in lines.values()), Fraction(0)), CENT)
        cost = sum((line.cost for line in lines.values()), Decimal(0))
        rows.append((customer, month, currency, amount, cost, False))
    return cumulative(rows)


def check_step(before: Rows, after: Rows, world: World, closed_through: date | None) -> None:
    closed = {row for row in before if row[-1]}
    assert closed <= set(after)
    assert cumulative(after) == calculated(world)
    keys = [row[:6] for row in after]
    assert len(set(keys)) == len(keys)
    frozen = {row[1] for row in closed}
    assert {row for row in after if row[1] in frozen} == closed
    for _, month, _, line, *_, is_closed in set(after) - closed:
        last_day = (month + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        assert is_closed == (closed_through is not None and last_day <= closed_through)
        if line == "adjustment":
            assert month == (max(frozen) + timedelta(days=31)).replace(day=1)


@settings(max_examples=5, suppress_health_check=list(HealthCheck))
@given(
    steps=st.lists(st.tuples(worlds(), st.sampled_from(LAST_DAYS), st.booleans()), max_size=5),
    first=worlds(),
)
def test_closed_months_stay_and_everything_charged_is_what_it_would_be_without(
    models: Models, first: World, steps: list[tuple[World, date | None, bool]]
) -> None:
    world, rows = first, models.build(first, date(2024, 2, 29), anew=True)
    assert cumulative(rows) == calculated(first)
    for other, closed_through, is_restated in steps:
        # Either the usage is restated, or everything changes.
        world = World(world.plans, world.allowances, world.customers, other.uses)
        world = world if is_restated else other
        before, rows = rows, models.build(world, closed_through)
        check_step(before, rows, world, closed_through)
        assert sorted(models.build(world, closed_through), key=str) == sorted(rows, key=str)


def september(cost: str = "10.005", *, more: list[Use] | None = None) -> list[Use]:
    """Return usage of the accounts of two customers and of nobody."""
    day, following = date(2025, 9, 1), date(2025, 10, 31)
    return [
        Use("AC1", day, "sms", Decimal(0), Decimal(cost)),
        Use("AC1", day, "calls", Decimal(130), Decimal("1.3")),
        Use("AC2", day, "phonenumbers", Decimal(1), Decimal("1.15")),
        Use("AC3", day, "phonenumbers", Decimal(1), Decimal("1.15")),
        Use("AC1", date(2025, 9, 30), "phonenumbers", Decimal(1), Decimal("1.15")),
        Use("AC1", following, "sms", Decimal(1), Decimal("0.0079")),
        *(more or ()),
    ]


PLANS = [Plan("small", "Small", Decimal(50), "usd ", Decimal(10))]
ALLOWANCES = [Allowance("small", "Calls", "minutes", Decimal(100), Decimal("0.02"))]
CUSTOMERS = [
    Customer("acme", "Acme", "AC1", "small", date(2025, 9, 1), None),
    Customer("globex", None, "AC2"),
]


def amounts(rows: Rows, month: date, customer: str | None = "acme") -> dict[str, str]:
    return {
        f"{row[3]} {row[5] or ''}".strip(): f"{row[8]}"
        for row in sorted(rows, key=str)
        if row[:2] == (customer, month)
    }


def go_through_the_autumn(project: Project) -> None:
    """Close a month, restate it, change the plans, close the next one, and restate again."""
    world = World(PLANS, ALLOWANCES, CUSTOMERS, september())
    first, second, third = date(2025, 9, 1), date(2025, 10, 1), date(2025, 11, 1)
    rows = project.build(world)
    bill = {
        "plan": "50.00",
        "overage calls": "0.60",
        "usage SMS & MMS": "10.00",  # of 10.005
        "usage Phone Numbers": "1.15",
        "markup": "1.12",  # of 1.1155: it lost most, and gets the cent that is left
    }
    assert amounts(rows, first) == dict(sorted(bill.items()))
    assert amounts(rows, first, "globex") == {"usage Phone Numbers": "1.15"}
    assert amounts(rows, first, None) == {"unassigned AC3": "0.00"}
    assert not any(row[-1] for row in rows)

    # Restated before it is closed: it changes.
    world.uses = september("11.005")
    rows = project.build(world, closed_through="2025-09-30")
    assert amounts(rows, first)["usage SMS & MMS"] == "11.00"
    assert all(row[-1] == (row[1] == first) for row in rows)

    def step(closed_through: object = None, *options: str) -> tuple[set[Any], dict[str, str]]:
        nonlocal rows
        before = {row for row in rows if row[-1]}
        rows = project.build(world, *options, closed_through=closed_through)
        assert before <= set(rows)
        assert cumulative(rows) == calculated(world)
        return before, amounts(rows, second)

    world.uses = september("21.005", more=[Use("AC3", first, "calls", Decimal(5), Decimal(2))])
    _, october = step("2025-09-30")
    assert october["adjustment"] == "11.00"  # ten dollars and the markup on them
    (adjustment,) = (row for row in rows if row[0] is None and row[3] == "adjustment")
    assert adjustment[8:10] == (Decimal(0), Decimal(2))  # of nobody: a cost only

    # The variable is forgotten, and --full-refresh is given: nothing closed is lost.
    _, again = step(None, "--full-refresh")
    assert again == october

    # A dearer plan, and the account of nobody belongs to Globex from the beginning.
    world.plans = [world.plans[0]._replace(monthly_price=Decimal(60)), *world.plans[1:]]
    world.customers = [*world.customers, Customer("globex", "Globex", "AC3")]
    _, october = step(date(2025, 10, 31))  # as YAML has it without quotes
    assert october["adjustment"] == "21.00"
    assert amounts(rows, second, "globex") == {"adjustment": "3.15"}
    assert {row[-1] for row in rows if row[1] == second} == {True}

    world.uses = september()
    _, october_then = step("2025-10-31")
    assert october_then == october
    assert amounts(rows, third) == {"adjustment": "-12.10"}
    assert not any(row[-1] for row in rows if row[1] == third)

    # Not even `dbt run`, which makes no tests, closes a month that is not loaded.
    code, log = project.run("run", closed_through="2025-11-30")
    assert code == 1
    assert "twilio_usage_closed_through: '2025-11-30' is too early: no account has a later " in log
    assert set(project.query(CHARGES)) == set(rows)

    # Nobody touches what is closed if an input makes no sense.
    wrong = World(world.plans, world.allowances, [Customer("acme", None, "AC1", "x")], world.uses)
    project.load(wrong)
    code, log = project.run("build")
    assert code == 1
    assert "SKIP relation twilio_usage.customer_charges" in log
    assert set(project.query(CHARGES)) == set(rows)


@pytest.mark.nightly
def test_a_restated_month_is_adjusted_in_the_next_one(project: Project) -> None:
    go_through_the_autumn(project)


@pytest.mark.nightly
def test_a_restated_month_is_adjusted_in_postgresql_too(
    dbt: Path, tmp_path: Path, database: str
) -> None:
    go_through_the_autumn(Project(dbt, tmp_path, database))


@pytest.mark.nightly
def test_a_closed_month_that_is_no_longer_loaded_is_not_credited(project: Project) -> None:
    world = World(PLANS, ALLOWANCES, CUSTOMERS, september())
    rows = project.build(world, closed_through="2025-09-30")
    world.uses = [use for use in world.uses if use.day.month > 9]
    project.load(world)
    code, log = project.run("run", "--full-refresh")
    assert code == 1
    assert "no day of the closed month 2025-09 is loaded any more" in log
    assert set(project.query(CHARGES)) == set(rows)


# Inputs ------------------------------------------------------------------------------------------

PLAN, ALLOWANCE, CUSTOMER = PLANS[0], ALLOWANCES[0], CUSTOMERS[0]


def failures(models: Models, world: World, closed_through: str = NEVER) -> dict[str, int]:
    """Return the rows that each test of the inputs finds."""
    models.build(world, anew=True, every_day=True)
    return {
        name: len(found)
        for name, sql in models.tests.items()
        if (found := models.duck.execute(sql.replace(NEVER, closed_through)).fetchall())
    }


def test_inputs_that_make_sense_are_valid(models: Models) -> None:
    following = Customer("globex", None, "AC1", None, date(2025, 10, 1))
    ended = CUSTOMER._replace(valid_to=date(2025, 9, 30))
    free = Allowance("free", "sms", None, Decimal(0), Decimal(0))
    plans = [*PLANS, Plan("free", None, Decimal(0), "EUR")]
    world = World(plans, [*ALLOWANCES, free], [ended, following], september())
    assert failures(models, world) == {}
    assert failures(models, World()) == {}


@pytest.mark.parametrize(
    "plan",
    [
        PLAN._replace(plan_id="other", monthly_price=Decimal(-1)),
        PLAN._replace(plan_id="other", monthly_price=None),  # type: ignore[arg-type]
        PLAN._replace(plan_id="other", markup_percent=Decimal(-1)),
        PLAN._replace(plan_id="other", currency=None),  # type: ignore[arg-type]
        PLAN._replace(plan_id="other", currency="US dollars"),
        PLAN._replace(plan_id=None),  # type: ignore[arg-type]
    ],
)
def test_a_plan_that_makes_no_sense_fails(models: Models, plan: Plan) -> None:
    world = World([PLAN, plan], ALLOWANCES, CUSTOMERS, september())
    assert failures(models, world) == {"plans_are_valid": 1}


def test_a_plan_that_is_given_twice_fails(models: Models) -> None:
    assert failures(models, World([PLAN, PLAN]))["plans_are_valid"] == 2


@pytest.mark.parametrize(
    "allowance",
    [
        ALLOWANCE,
        ALLOWANCE._replace(category="calls-inbound"),  # a part of what the other one covers
        Allowance("small", "sms", "messages", Decimal(1), Decimal(1)),  # they are segments
        Allowance("small", "smss", None, Decimal(1), Decimal(1)),
        Allowance("large", "sms", None, Decimal(1), Decimal(1)),
        Allowance("small", "sms", None, Decimal(-1), Decimal(1)),
        Allowance("small", "sms", None, Decimal(1), Decimal(-1)),
        Allowance("small", "sms", None, None, Decimal(1)),  # type: ignore[arg-type]
        Allowance("small", "sms", None, Decimal(1), None),  # type: ignore[arg-type]
    ],
)
def test_an_allowance_that_makes_no_sense_fails(models: Models, allowance: Allowance) -> None:
    world = World(PLANS, [ALLOWANCE, allowance], [], september())
    assert "plan_allowances_are_valid" in failures(models, world)


@pytest.mark.parametrize(
    "customer",
    [
        Customer("globex", None, "AC1", None, date(2025, 12, 31)),  # the account is Acme's
        Customer("acme", None, "AC1", "small", None, date(2025, 9, 1)),  # on its first day, twice
        Customer("globex", None, "AC2", "large"),
        Customer("globex", None, "AC2", None, date(2025, 9, 2), date(2025, 9, 1)),
        Customer("globex", None, None),  # type: ignore[arg-type]
        Customer(None, "Globex", "AC2"),  # type: ignore[arg-type]
    ],
)
def test_a_customer_who_makes_no_sense_fails(models: Models, customer: Customer) -> None:
    world = World(PLANS, ALLOWANCES, [CUSTOMER, customer], september())
    assert "customers_are_valid" in failures(models, world)


def test_a_month_cannot_be_closed_before_it_is_loaded(models: Models) -> None:
    world = World(uses=september())
    closed = {"closed_months_are_loaded": 1}
    assert failures(models, world, "2025-10-31") == {}
    assert failures(models, world, "2025-11-30") == closed
    world.uses = [use for use in world.uses if use.day < date(2025, 10, 1)]
    assert failures(models, world, "2025-09-30") == {}
    world.uses = [use for use in world.uses if use.day < date(2025, 9, 30)]
    assert failures(models, world, "2025-09-30").keys() == closed.keys()
    assert failures(models, world, "2025-09-29") == {}  # a month that it does not close


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("DELETE FROM {} WHERE account_sid = 'AC2' AND start_date > '2025-09-24'", "not loaded"),
        ("DELETE FROM {} WHERE account_sid = 'AC2' AND start_date = '2025-09-10'", "not loaded"),
        ("UPDATE {} SET deduplicated_price = 1 WHERE start_date = '2025-09-10'", "add up"),
        ("UPDATE {} SET as_of = '2025-09-30 23:59:00' WHERE account_sid = 'AC3'", "was over"),
    ],
)
def test_a_month_cannot_be_closed_while_an_account_is_behind(
    models: Models, change: str, reason: str
) -> None:
    models.build(World(uses=september()), anew=True, every_day=True)
    test = models.tests["closed_months_are_loaded"]
    for closed_through, is_wrong in (("2025-08-31", False), ("2025-09-30", True)):
        sql = test.replace(NEVER, closed_through)
        assert models.duck.execute(sql).fetchall() == []
        models.duck.execute("BEGIN")
        models.duck.execute(change.format("tap_twilio_usage.usage_records_daily"))
        models.run()
        found = models.duck.execute(sql).fetchall()
        models.duck.execute("ROLLBACK")
        assert bool(found) == is_wrong
        assert all(row[-1].endswith(reason) or reason in row[-1] for row in found)


def test_a_day_that_closes_months_is_a_date(project: Project) -> None:
    code, log = project.run("compile", closed_through="2025-09-31")
    assert code == 2
    assert "twilio_usage_closed_through: '2025-09-31' is not a valid date; use YYYY-MM-DD" in log


def test_without_inputs_every_cost_is_unassigned(models: Models) -> None:
    rows = models.build(World(uses=september()), anew=True)
    assert {row[3] for row in rows} == {"unassigned"}
    assert sum(row[8] for row in rows) == 0
    assert sum(row[9] for row in rows) == sum(use.cost for use in september())
    assert models.duck.execute("SELECT * FROM twilio_usage.plan_usage").fetchall() == []


# The page ----------------------------------------------------------------------------------------

PAGE = ROOT / "docs" / "rebilling.md"
ACME, GLOBEX = (f"AC{number:032}" for number in (2, 3))


def example() -> World:
    """Return the plans and customers of the page, and what they use."""
    world = read_seeds(blocks(PAGE, "csv")[:3])
    number = Decimal
    world.uses = [
        Use(ACME, date(2025, 9, 1), "phonenumbers", number(3), number("3.45")),
        Use(ACME, date(2025, 9, 12), "calls", number(2104), number("27.352")),
        Use(ACME, date(2025, 9, 12), "sms-outbound", number(2310), number("18.249")),
        Use(ACME, date(2025, 9, 12), "sms", number(2310), number(0)),
        Use(ACME, date(2025, 9, 12), "sms-messages-carrierfees", number(2310), number("6.93")),
        Use(ACME, date(2025, 9, 25), "calls", number(1210), number("15.73")),
        Use(ACME, date(2025, 9, 25), "sms-outbound", number(2680), number("21.172")),
        Use(ACME, date(2025, 9, 25), "sms", number(2680), number(0)),
        Use(ACME, date(2025, 9, 25), "sms-messages-carrierfees", number(2680), number("8.04")),
        Use(GLOBEX, date(2025, 9, 3), "calls", number(311), number("4.043")),
        Use(GLOBEX, date(2025, 9, 30), "phonenumbers", number(1), number("1.15")),
    ]
    return world


def text_table(header: str, rows: Rows) -> str:
    """Return rows in columns that are aligned, numbers to the right."""
    cells = [
        header.split(),
        *(
            [f"{c.normalize():f}" if n in (3, 4) else f"{c or ''}" for n, c in enumerate(row)]
            for row in rows
        ),
    ]
    widths = [max(len(row[n]) for row in cells) for n in range(len(cells[0]))]
    return "".join(
        "  ".join(
            cell.rjust(width) if n >= 3 else cell.ljust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        + "\n"
        for row in cells
    )


def test_the_month_on_the_page_is_what_the_models_charge(models: Models) -> None:
    assert failures(models, example()) == {}
    rows = models.build(example(), date(2025, 9, 30), anew=True)
    order = ["plan", "overage", "usage", "markup"]
    acme = [(*row[3:9], row[9].quantize(Decimal("0.001"))) for row in rows if row[0] == "acme"]
    acme.sort(key=lambda row: (order.index(row[0]), row[1] != "small", row[2] or ""))
    (shown,) = blocks(PAGE, "text")
    assert shown == text_table("line plan_id item quantity unit_price amount cost", acme)


def test_every_query_of_the_page_runs(models: Models) -> None:
    rows = models.build(example(), date(2025, 9, 30), anew=True)
    charges, margins, usage, adjustments = blocks(PAGE, "sql")
    execute = models.duck.execute
    assert len(execute(charges).fetchall()) == sum(row[0] is not None for row in rows)
    assert {(row[0], row[-1]) for row in execute(margins).fetchall()} == {
        ("Acme", Decimal("111.45") - Decimal("100.923")),
        ("Globex", Decimal("5.19") - Decimal("5.193")),
    }
    most_used, *others = execute(usage).fetchall()
    assert most_used[0] == "acme"
    assert all(row[-1] <= most_used[-1] for row in others)
    assert execute(adjustments).fetchall() == []
    world = example()
    world.uses.append(Use(ACME, date(2025, 9, 7), "phonenumbers", Decimal(1), Decimal(2)))
    models.build(world)
    october = (date(2025, 10, 1), "Acme", Decimal("2.30"), Decimal(2), "USD")
    assert execute(adjustments).fetchall() == [october]


def test_the_csv_of_the_page_is_what_the_command_writes(
    models: Models, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models.build(example(), date(2025, 9, 30), anew=True)
    models.duck.execute(f"ATTACH '{tmp_path / 'own.duckdb'}' AS own")
    models.duck.execute("CREATE SCHEMA own.twilio_usage")
    models.duck.execute(
        "CREATE TABLE own.twilio_usage.customer_charges AS FROM twilio_usage.customer_charges"
    )
    models.duck.execute("DETACH own")
    (command,) = (c for c in blocks(PAGE, "sh") if "report:charges" in c)
    options = shlex.split(command.partition("report:charges")[2])[:2]
    main([*options, "--url", f"duckdb:///{tmp_path / 'own.duckdb'}"])
    assert capsys.readouterr().out == blocks(PAGE, "csv")[3]


def test_the_picture_is_what_the_command_draws(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "docs.rebilling_picture", str(tmp_path)]
    subprocess.run(command, check=True, env=clean_environment(), cwd=ROOT)
    drawn = (tmp_path / "rebilling.svg").read_text()
    assert drawn == (ROOT / "docs" / "rebilling.svg").read_text()
    assert [">111.45<" in drawn, ">100.92<" in drawn] == [True, True]


@pytest.mark.parametrize("name", ["plans", "plan_allowances", "customers"])
def test_the_plans_of_the_sandbox_are_those_of_the_page(name: str) -> None:
    number = ("plans", "plan_allowances", "customers").index(name)
    own = (ROOT / "sandbox" / "seeds" / f"{name}.csv").read_text()
    assert own == blocks(PAGE, "csv")[number]
