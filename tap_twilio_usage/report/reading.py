"""Reads the figures: which queries are asked, in which order, and what their rows become."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Select

from tap_twilio_usage.focus.delivery import moment
from tap_twilio_usage.money.hierarchy import TOTAL, normalise
from tap_twilio_usage.report import queries
from tap_twilio_usage.report.errors import ReportError
from tap_twilio_usage.report.figures.periods import month_before, same_days
from tap_twilio_usage.report.figures.section import Section, sections
from tap_twilio_usage.report.figures.sums import (
    ZERO,
    Account,
    AccountDay,
    Anomaly,
    Budget,
    Charge,
    Cost,
    Forecast,
    GroupMonth,
    Invoiced,
    Month,
    MonthCost,
    Movement,
)
from tap_twilio_usage.report.tables import BILLING_GROUPS, RECORDS, Table, Tables
from tap_twilio_usage.report.values import day as day_of
from tap_twilio_usage.report.values import exact, flag

MONTHS_BACK = 6  # as the tap's default start_date
# So many sums of a day, service and account fit into a page; the other accounts are one.
CELLS = 50_000
MOST_ACCOUNTS = 25

Say = Callable[[str], None]


@dataclass
class Part:
    """A section with all of its sums."""

    section: Section
    costs: list[Cost]
    month_costs: list[MonthCost]
    movements: list[Movement]
    shown: list[str]  # the accounts that have sums of their own
    owner_costs: list[Cost] = field(default_factory=list)
    owner_month_costs: list[MonthCost] = field(default_factory=list)
    budgets: list[Budget] = field(default_factory=list)
    forecast: Forecast | None = None
    anomalies: list[Anomaly] | None = None
    charges: list[Charge] = field(default_factory=list)
    invoices: list[Invoiced] = field(default_factory=list)
    built_to: date | None = None  # the newest day of the dbt models


@dataclass
class Figures:
    """All sums of the report."""

    parts: list[Part]
    groups: list[GroupMonth]
    accounts: dict[str, Account]


def read(connection: Connection, tables: Tables, since: date | None, say: Say) -> Figures:
    """Return the sums since a day (default: the first of the month, six months before the last)."""
    reader = _Reader(connection, tables, say)
    records = tables.loaded(RECORDS)
    groups = reader.groups()
    last = reader.last_day(records) if records else None
    if records is None or last is None:
        if not groups:
            name = records.source.fullname if records else RECORDS
            raise ReportError(f"{name} is empty; load it first")
        return Figures([], groups, {})
    first = since or _months_before(last)
    accounts = {each.sid: each for each in reader.accounts()}
    say("the days of each account")
    days = reader.account_days(records, first)
    months = reader.months(first)
    found = sections(days, months, accounts.values(), since)
    parts = []
    taken: set[str] = set()
    for section in found:
        parts.append(reader.part(records, section, first, with_models=section.unit not in taken))
        taken.add(section.unit)
    return Figures(parts, groups, accounts)


@dataclass
class _Reader:
    connection: Connection
    tables: Tables
    say: Say

    def rows(self, query: Select[Any]) -> Iterator[Any]:
        """Yield the rows of a query, some at a time."""
        with self.connection.execution_options(yield_per=5_000).execute(query) as result:
            yield from result

    def last_day(self, records: Table) -> date | None:
        (row,) = self.rows(queries.last_day(records))
        last: date | None = row[0]
        return last

    def accounts(self) -> list[Account]:
        table = self.tables.loaded("accounts")
        if table is None:
            return []
        names = ("account_sid", "friendly_name", "status", "date_created", "date_updated")
        return [
            Account(sid, name or "", status or "", day_of(created), day_of(updated))
            for sid, name, status, created, updated in self.rows(
                table.select(*map(table.text, names))
            )
        ]

    def account_days(self, records: Table, since: date) -> Iterator[AccountDay]:
        seen: dict[Any, Any] = {}  # of equal values, one is kept: there are many rows
        for row in self.rows(queries.account_days(records, since)):
            account, rolled_up, unit, day, naive, deduplicated, total, remainder, used, as_of = row
            cost, price = exact(deduplicated) or ZERO, exact(total)
            yield AccountDay(
                account=seen.setdefault(account, account),
                rolled_up=flag(rolled_up),
                unit=seen.setdefault(unit, unit),
                day=seen.setdefault(day, day),
                naive=exact(naive) or ZERO,
                deduplicated=cost,
                total=cost if price == cost else price,
                remainder=exact(remainder) or ZERO,
                used=bool(used),
                as_of=seen.setdefault(as_of, moment(as_of)),
            )

    def months(self, since: date) -> list[Month]:
        table = self.tables.loaded("usage_reconciliation")
        if table is None:
            return []
        first = table.day("start_date")
        query = table.select(
            table.text("account_sid"),
            table.text("includes_subaccounts"),
            table.unit(),
            first,
            table.text("days_expected"),
            table.exact("monthly_total"),
            table.text("as_of"),
        ).where(first >= since.replace(day=1))
        return [
            Month(
                account=account or "no account",
                rolled_up=flag(rolled_up),
                unit=unit,
                first=day,
                days_expected=int(days or 0),
                total=exact(total),
                as_of=day_of(as_of),
            )
            for account, rolled_up, unit, day, days, total, as_of in self.rows(query)
        ]

    def part(self, records: Table, section: Section, since: date, *, with_models: bool) -> Part:
        unit, key = section.unit, section.key
        self.say(f"costs by day, in {unit}")
        shown = self.shown(section)
        listed = shown if len(shown) < len(section.accounts) else []
        whos = listed or shown
        costs = self.costs(queries.costs(records, since, key, whos))
        self.say(f"costs by month and category, in {unit}")
        month_costs = [
            _month_cost(row) for row in self.rows(queries.month_costs(records, since, key, whos))
        ]
        part = Part(section, costs, month_costs, self.movements(records, section), shown)
        if with_models:
            self.say(f"the dbt models, in {unit}")
            self.add_models(part, since)
        return part

    def costs(self, query: Select[Any]) -> list[Cost]:
        seen: dict[Any, Any] = {}
        return [
            Cost(
                seen.setdefault(day, day),
                seen.setdefault(service, service),
                seen.setdefault(who, who),
                bool(is_fee),
                exact(cost) or ZERO,
            )
            for day, service, who, is_fee, cost in self.rows(query)
        ]

    def shown(self, section: Section) -> list[str]:
        """Return the largest accounts: as many as can be shown day by day."""
        series = len(section.days) * 12  # services
        most = max(3, min(MOST_ACCOUNTS, CELLS // series))
        accounts = [account for account, _ in section.accounts]
        return accounts if len(accounts) <= most else accounts[:most]

    def movements(self, records: Table, section: Section) -> list[Movement]:
        if section.change is None or section.last_finished is None:
            return []
        self.say(f"changes since the month before, in {section.unit}")
        after, before = same_days(section.last_finished)
        return [
            Movement(service, _named(category), account, *(exact(each) or ZERO for each in amounts))
            for service, category, account, *amounts in self.rows(
                queries.movements(records, section.key, before, after)
            )
        ]

    def add_models(self, part: Part, since: date) -> None:
        unit, last, model = part.section.unit, part.section.days[-1].first, self.tables.model
        month = part.section.month
        if owned := model("allocated_cost"):
            fees = sorted({each.category for each in part.month_costs if each.is_fee})
            part.owner_costs = self.costs(queries.owner_costs(owned, since, unit, fees))
            part.owner_month_costs = [
                _month_cost(row) for row in self.rows(queries.owner_month_costs(owned, since, unit))
            ]
            part.built_to = max((each.day for each in part.owner_costs), default=None)
        if status := model("budget_status"):
            asked = min(last, part.section.last_finished or last)
            part.budgets = [_budget(row) for row in self.rows(queries.budgets(status, unit, asked))]
        if forecasts := model("forecast_by_month"):
            (row,) = self.rows(queries.forecasts(forecasts, unit, month))
            part.forecast = _forecast(month, exact(row[0]), part.budgets)
        if found := model("anomalies"):
            part.anomalies = sorted(
                Anomaly(
                    day=day,
                    account=account,
                    service=service,
                    category=_named(category),
                    cost=exact(cost) or ZERO,
                    expected=exact(expected) or ZERO,
                    excess=exact(excess) or ZERO,
                    kind=kind,
                )
                for day, account, service, category, cost, expected, excess, kind in self.rows(
                    queries.anomalies(found, unit, since)
                )
            )
        if charges := model("customer_charges"):
            part.charges = sorted(
                Charge(month, customer, exact(amount) or ZERO, exact(cost) or ZERO, bool(closed))
                for month, customer, amount, cost, closed in self.rows(
                    queries.charges(charges, unit, since)
                )
            )
        if invoices := model("invoice_reconciliation"):
            part.invoices = sorted(
                Invoiced(*row[:4], *(exact(each) or ZERO for each in row[4:]))
                for row in self.rows(queries.invoices(invoices, unit, since))
            )

    def groups(self) -> list[GroupMonth]:
        table = self.tables.loaded(BILLING_GROUPS)
        if table is None:
            return []
        return [
            GroupMonth(
                unit, date(year, month, 1), group, product, exact(amount) or ZERO, day_of(as_of)
            )
            for unit, year, month, group, product, amount, as_of in self.rows(
                queries.group_months(table)
            )
        ]


def _months_before(last: date) -> date:
    month = last.replace(day=1)
    for _ in range(MONTHS_BACK):
        month = month_before(month)
    return month


def _month_cost(row: Any) -> MonthCost:
    year, month, service, category, unit, who, amount, usage, is_fee = row
    first = date(year, month, 1)
    cost, used = exact(amount) or ZERO, exact(usage) or ZERO
    return MonthCost(first, service, _named(category), unit, who, cost, used, bool(is_fee))


def _budget(row: Any) -> Budget:
    name, scope, value, period, first, last, amount, actual, *forecasts, status = row
    expected, low, high, used, part = map(exact, forecasts)
    return Budget(
        name=name,
        scope=scope,
        value=value,
        period=period,
        first=first,
        last=last,
        amount=exact(amount),
        actual=exact(actual) or ZERO,
        expected=expected or ZERO,
        low=low,
        high=high,
        percent_used=used,
        percent_of_period=part,
        status=status,
    )


def _named(category: str) -> str:
    """Return the name of a category; the row of Twilio's total holds what is in none of them."""
    return "in no category" if normalise(category) == TOTAL else category


def _forecast(month: date, expected: Decimal | None, budgets: list[Budget]) -> Forecast | None:
    """Return the forecast, with the range of a budget of everything: ranges do not add up."""
    for each in budgets:
        if each.scope == "all" and each.period == "month":
            return Forecast(month, each.expected, each.low, each.high)
    return None if expected is None else Forecast(month, expected, None, None)
