"""What customers have to be charged, calculated without SQL."""

from __future__ import annotations

import calendar
import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
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

    def records(self, *, every_day: bool = False) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of usage_records_daily: those of the uses, and the total of each day.

        With `every_day`, also zero totals of the days up to the last use of any account.
        """
        totals: defaultdict[tuple[str, date, str], Decimal] = defaultdict(Decimal)
        for use in self.uses:
            parent, service, unit = CATEGORIES[use.category]
            totals[use.account_sid, use.day, use.currency] += use.cost
            yield (
                *(use.account_sid, use.day, use.category, service, "usage", parent, "leaf"),
                *(use.usage, unit, use.cost, use.cost, use.currency),
            )
        used = {(sid, day) for sid, day, _ in totals}
        last = max((day for _, day in used), default=date.min)
        for account in sorted({sid for sid, _ in used}) if every_day else ():
            first = min(day for sid, day in used if sid == account)
            for n in range((last - first).days + 1):
                if (account, first + timedelta(days=n)) not in used:
                    totals[account, first + timedelta(days=n), "USD"] = ZERO
        for (sid, day, currency), total in totals.items():
            yield (
                *(sid, day, "totalprice", "Unattributed", "total", None, "total"),
                *(total, "usd", total, ZERO, currency),
            )


COLUMNS = (
    "account_sid, start_date, category, service, billing_kind, parent_category, dedup_role, "
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


class Calculation:
    """The lines of each customer's month and currency."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.plans = {
            p.plan_id: p._replace(currency=p.currency.strip().upper()) for p in world.plans
        }
        self.allowances = [a._replace(category=a.category.lower()) for a in world.allowances]
        self.bills: defaultdict[Bill, defaultdict[Line, Charge]] = defaultdict(
            lambda: defaultdict(Charge)
        )
        # By customer, plan, month and category; the costs also by currency.
        self.used: defaultdict[tuple[str, str, date, str], Decimal] = defaultdict(Decimal)
        self.overages: dict[tuple[str, str, date, str], Decimal] = {}
        self.covered: defaultdict[tuple[tuple[str, str, date, str], str], Decimal] = defaultdict(
            Decimal
        )
        for use in world.uses:
            self.assign(use)
        for month in {month_of(use.day) for use in world.uses}:
            for customer, plan_id in {(c.customer_id, c.plan_id) for c in world.customers}:
                if plan_id:
                    self.charge_plan(customer, plan_id, month)
        for key, currency in self.covered:
            self.divide_cost(key, currency)
        for lines in self.bills.values():
            self.charge_markup(lines)

    def assign(self, use: Use) -> None:
        month = month_of(use.day)
        owner = next((c for c in self.world.customers if c.has(use.account_sid, use.day)), None)
        if owner is None:
            unassigned = self.bills[None, month, use.currency]
            unassigned["unassigned", None, use.account_sid].cost += use.cost
            return
        for allowance in self.allowances:
            if allowance.plan_id == owner.plan_id and allowance.category in ancestors(use.category):
                key = (owner.customer_id, allowance.plan_id, month, allowance.category)
                self.used[key] += use.usage if use.category == allowance.category else 0
                self.covered[key, use.currency] += use.cost
                return
        bill = self.bills[owner.customer_id, month, use.currency]
        charge = bill["usage", owner.plan_id, CATEGORIES[use.category][1]]
        charge.amount += Fraction(use.cost)
        charge.cost += use.cost

    def charge_plan(self, customer: str, plan_id: str, month: date) -> None:
        rows = [
            c for c in self.world.customers if (c.customer_id, c.plan_id) == (customer, plan_id)
        ]
        whole = days_of(month)
        days = [day for day in whole if any(row.is_valid(day) for row in rows)]
        if not days:
            return
        plan = self.plans[plan_id]
        part = Fraction(rounded(Fraction(len(days), len(whole)), TWELVE))
        bill = self.bills[customer, month, plan.currency]
        bill["plan", plan_id, None].amount = Fraction(
            rounded(part * Fraction(plan.monthly_price), TWELVE)
        )
        for allowance in self.allowances:
            if allowance.plan_id == plan_id:
                key = (customer, plan_id, month, allowance.category)
                included = rounded(Fraction(allowance.included) * part, SIX)
                over = max(rounded(self.used[key], SIX) - included, ZERO)
                self.overages[key] = over
                line = bill["overage", plan_id, allowance.category]
                line.amount = Fraction(over) * Fraction(allowance.overage_unit_price)

    def divide_cost(self, key: tuple[str, str, date, str], currency: str) -> None:
        customer, plan_id, month, category = key
        cost, over, used = self.covered[key, currency], self.overages[key], self.used[key]
        part = Fraction(over) / Fraction(rounded(used, SIX)) if over else Fraction(0)
        cost_of_overage = rounded(Fraction(cost) * part, TWELVE)
        bill = self.bills[customer, month, currency]
        bill["overage", plan_id, category].cost += cost_of_overage
        bill["plan", plan_id, None].cost += cost - cost_of_overage

    def charge_markup(self, lines: dict[Line, Charge]) -> None:
        for (line, plan_id, _), charge in [*lines.items()]:
            if line == "usage" and plan_id:
                lines["markup", plan_id, None].amount += charge.amount
        for (line, plan_id, _), charge in lines.items():
            if line == "markup" and plan_id:
                rate = Fraction(self.plans[plan_id].markup_percent or ZERO) / 100
                charge.amount = Fraction(rounded(charge.amount * rate, TWELVE))


def charged(world: World) -> dict[Bill, dict[Line, Charge]]:
    """Return the lines of each customer's month and currency that are not zero."""
    return {
        bill: there
        for bill, lines in Calculation(world).bills.items()
        if (there := {key: line for key, line in lines.items() if line.amount or line.cost})
    }
