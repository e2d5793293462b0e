"""What customers have to be charged, calculated without SQL, and the tables that it is loaded from."""

from __future__ import annotations

import calendar
import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

# Each with its parent, service and unit.
CATEGORIES: dict[str, tuple[str | None, str, str | None]] = {
    "totalprice": (None, "Unattributed", "usd"),
    "channels": ("totalprice", "SMS & MMS", "messages"),
    "sms": ("channels", "SMS & MMS", "segments"),
    "sms-outbound": ("sms", "SMS & MMS", "segments"),
    "sms-outbound-longcode": ("sms-outbound", "SMS & MMS", "segments"),
    "sms-messages-carrierfees": ("channels", "SMS & MMS", "segments"),
    "calls": ("totalprice", "Voice", "minutes"),
    "calls-inbound": ("calls", "Voice", "minutes"),
    "phonenumbers": ("totalprice", "Phone Numbers", "numbers"),
    "wireless": ("totalprice", "IoT & Wireless", None),
    "wireless-super-sim": ("wireless", "IoT & Wireless", None),
    "wireless-super-sim-smscommands": ("wireless-super-sim", "IoT & Wireless", None),
    "wireless-super-sim-subscription": ("wireless-super-sim", "IoT & Wireless", None),
}
TABLES = """
    CREATE SCHEMA tap_twilio_usage;
    CREATE TABLE tap_twilio_usage.usage_records_daily (
        account_sid TEXT, start_date DATE, end_date DATE, category TEXT, description TEXT,
        service TEXT, billing_kind TEXT, parent_category TEXT, dedup_role TEXT,
        count DECIMAL(38, 12), count_unit TEXT, usage DECIMAL(38, 12), usage_unit TEXT,
        price DECIMAL(38, 12), deduplicated_price DECIMAL(38, 12), price_unit TEXT,
        counts_in_total BOOLEAN, includes_subaccounts BOOLEAN, as_of TIMESTAMP
    );
    CREATE TABLE tap_twilio_usage.categories (
        category TEXT, description TEXT, parent_category TEXT, also_included_in TEXT, service TEXT,
        level INT, role TEXT, billing_kind TEXT, count_unit TEXT, usage_unit TEXT, is_known BOOLEAN,
        is_reported BOOLEAN, confidence TEXT, counts_in_total BOOLEAN
    );
"""
CENT, SIX, TWELVE = Decimal("0.01"), Decimal("0.000001"), Decimal("0.000000000001")
ZERO = Decimal(0)


class Plan(NamedTuple):
    plan_id: str
    name: str | None
    monthly_price: Decimal
    currency: str
    markup_percent: Decimal | None = None


class Allowance(NamedTuple):
    plan_id: str
    category: str
    unit: str | None
    included: Decimal
    overage_unit_price: Decimal


class Customer(NamedTuple):
    customer_id: str
    name: str | None
    account_sid: str
    plan_id: str | None = None
    valid_from: date | None = None
    valid_to: date | None = None

    def has(self, account: str, day: date) -> bool:
        return self.account_sid == account and self.is_valid(day)

    def is_valid(self, day: date) -> bool:
        return (self.valid_from or date.min) <= day <= (self.valid_to or date.max)


class Use(NamedTuple):
    """The usage of a category, and what it costs apart from what it contains."""

    account_sid: str
    day: date
    category: str
    usage: Decimal
    cost: Decimal
    currency: str = "USD"


@dataclass
class World:
    plans: list[Plan] = field(default_factory=list)
    allowances: list[Allowance] = field(default_factory=list)
    customers: list[Customer] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)

    def seeds(self) -> dict[str, list[Any]]:
        return {
            "plans": self.plans,
            "plan_allowances": self.allowances,
            "customers": self.customers,
        }

    def records(self) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of usage_records_daily: those of the uses, and the total of each day."""
        totals: defaultdict[tuple[str, date, str], Decimal] = defaultdict(Decimal)
        for use in self.uses:
            parent, service, unit = CATEGORIES[use.category]
            totals[use.account_sid, use.day, use.currency] += use.cost
            yield (
                *(use.account_sid, use.day, use.category, service, parent, "leaf"),
                *(use.usage, unit, use.cost, use.cost, use.currency),
            )
        for (sid, day, currency), total in totals.items():
            yield (
                *(sid, day, "totalprice", "Unattributed", None, "total"),
                *(total, "usd", total, ZERO, currency),
            )


COLUMNS = (
    "account_sid, start_date, category, service, parent_category, dedup_role, "
    "usage, usage_unit, price, deduplicated_price, price_unit"
)


def categories() -> list[tuple[Any, ...]]:
    """Return the rows of the table categories: category, parent_category, service, is_known."""
    return [(name, parent, service, True) for name, (parent, service, _) in CATEGORIES.items()]


def write_seeds(world: World, folder: Path) -> None:
    types = {"plans": Plan, "plan_allowances": Allowance, "customers": Customer}
    for name, rows in world.seeds().items():
        with (folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(types[name]._fields)  # type: ignore[attr-defined]
            writer.writerows(rows)


def read_seeds(texts: Iterable[str]) -> World:
    """Return the world of three CSVs: plans, allowances and customers; without usage."""
    plans, allowances, customers = (
        [{k: v or None for k, v in row.items()} for row in csv.DictReader(text.splitlines())]
        for text in texts
    )

    def number(text: str | None) -> Any:
        return None if text is None else Decimal(text)

    def day(text: str | None) -> Any:
        return None if text is None else date.fromisoformat(text)

    def typed(row: dict[str, Any], kind: Any, **types: Any) -> Any:
        return kind(**{k: types[k](v) if k in types else v for k, v in row.items()})

    return World(
        [typed(row, Plan, monthly_price=number, markup_percent=number) for row in plans],
        [typed(row, Allowance, included=number, overage_unit_price=number) for row in allowances],
        [typed(row, Customer, valid_from=day, valid_to=day) for row in customers],
    )


def rounded(amount: Fraction | Decimal, unit: Decimal) -> Decimal:
    """Round half away from zero."""
    units = abs(Fraction(amount)) / Fraction(unit)
    whole = int(units + Fraction(1, 2))
    with localcontext(Context(prec=100, rounding=ROUND_HALF_UP)):
        return (whole if amount >= 0 else -whole) * unit


def month_of(day: date) -> date:
    return day.replace(day=1)


def days_of(month: date) -> list[date]:
    days = calendar.monthrange(month.year, month.month)[1]
    return [month.replace(day=n + 1) for n in range(days)]


def ancestors(category: str) -> set[str]:
    parent = CATEGORIES[category][0]
    return {category} | (ancestors(parent) if parent else set())


Line = tuple[str, str | None, str | None]  # line, plan_id, item
Bill = tuple[str | None, date, str]  # customer_id, month, currency


@dataclass
class Charge:
    amount: Fraction = Fraction(0)  # before it is rounded to cents, but of 12 decimals
    cost: Decimal = ZERO


def charged(world: World) -> dict[Bill, dict[Line, Charge]]:
    """Return the lines of each customer's month and currency."""
    found: defaultdict[Bill, defaultdict[Line, Charge]] = defaultdict(lambda: defaultdict(Charge))
    plans = {p.plan_id: p._replace(currency=p.currency.strip().upper()) for p in world.plans}
    allowances = [a._replace(category=a.category.lower()) for a in world.allowances]
    used: defaultdict[tuple[str, str, date, str], Decimal] = defaultdict(Decimal)
    covered: defaultdict[tuple[str, str, date, str, str], Decimal] = defaultdict(Decimal)
    passed_on: defaultdict[tuple[str, str, date, str], Decimal] = defaultdict(Decimal)
    for use in world.uses:
        month = month_of(use.day)
        owner = next((c for c in world.customers if c.has(use.account_sid, use.day)), None)
        if owner is None:
            line = found[None, month, use.currency]["unassigned", None, use.account_sid]
            line.cost += use.cost
            continue
        allowance = next(
            (
                a
                for a in allowances
                if a.plan_id == owner.plan_id and a.category in ancestors(use.category)
            ),
            None,
        )
        if allowance and owner.plan_id:
            key = (owner.customer_id, owner.plan_id, month, allowance.category)
            used[key] += use.usage if use.category == allowance.category else 0
            covered[(*key, use.currency)] += use.cost
        else:
            bill = found[owner.customer_id, month, use.currency]
            line = bill["usage", owner.plan_id, CATEGORIES[use.category][1]]
            line.amount += Fraction(use.cost)
            line.cost += use.cost
            if owner.plan_id:
                passed_on[owner.customer_id, owner.plan_id, month, use.currency] += use.cost
    for (customer, plan_id, month, currency), cost in passed_on.items():
        rate = Fraction(plans[plan_id].markup_percent or ZERO) / 100
        line = found[customer, month, currency]["markup", plan_id, None]
        line.amount = Fraction(rounded(Fraction(cost) * rate, TWELVE))
    overages: dict[tuple[str, str, date, str], Decimal] = {}
    for month in {month_of(use.day) for use in world.uses}:
        for customer, plan_id in {(c.customer_id, c.plan_id) for c in world.customers if c.plan_id}:
            rows = [c for c in world.customers if (c.customer_id, c.plan_id) == (customer, plan_id)]
            days = [day for day in days_of(month) if any(row.is_valid(day) for row in rows)]
            if not days:
                continue
            plan = plans[plan_id]
            part = Fraction(rounded(Fraction(len(days), len(days_of(month))), TWELVE))
            bill = found[customer, month, plan.currency]
            bill["plan", plan_id, None].amount = Fraction(
                rounded(part * Fraction(plan.monthly_price), TWELVE)
            )
            for allowance in allowances:
                if allowance.plan_id == plan_id:
                    key = (customer, plan_id, month, allowance.category)
                    included = rounded(Fraction(allowance.included) * part, SIX)
                    overages[key] = max(rounded(used[key], SIX) - included, ZERO)
                    price = Fraction(allowance.overage_unit_price)
                    bill["overage", plan_id, allowance.category].amount = (
                        Fraction(overages[key]) * price
                    )
    for (*key, currency), cost in covered.items():  # type: ignore[assignment]
        customer, plan_id, month, category = key  # type: ignore[misc]
        overage = overages[customer, plan_id, month, category]
        part_over = overage and Fraction(overage) / Fraction(
            rounded(used[customer, plan_id, month, category], SIX)
        )
        over = rounded(Fraction(cost) * Fraction(part_over), TWELVE)
        bill = found[customer, month, currency]
        bill["overage", plan_id, category].cost += over
        bill["plan", plan_id, None].cost += cost - over
    return {
        bill: there
        for bill, lines in found.items()
        if (there := {key: line for key, line in lines.items() if line.amount or line.cost})
    }
