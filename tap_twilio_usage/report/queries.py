"""The sums that the warehouse makes, in SQL that any SQLAlchemy dialect can write."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    Subquery,
    and_,
    case,
    cast,
    extract,
    func,
    literal,
    null,
    or_,
    select,
)

from tap_twilio_usage.money.hierarchy import TOTAL
from tap_twilio_usage.report.figures.periods import Span
from tap_twilio_usage.report.figures.section import Key
from tap_twilio_usage.report.figures.sums import OTHERS
from tap_twilio_usage.report.tables import Table

Column = ColumnElement[Any]

FEES = ("recurring", "one_time", "service_fee")  # charged without usage, most of them on the 1st


def last_day(records: Table) -> Select[Any]:
    """Return the newest day."""
    return records.select(func.max(records.day("start_date")))


def account_days(records: Table, since: date) -> Select[Any]:
    """Return the sums of each day of each account, as `AccountDay`."""
    rows = _rows(records, since).c
    keys = (rows.account, rows.rolled_up, rows.unit, rows.day)
    return select(
        *keys,
        func.sum(case((rows.is_total == 0, rows.price))),
        func.sum(rows.cost),
        func.sum(case((rows.is_total == 1, rows.price))),
        func.sum(case((rows.is_total == 1, rows.cost))),
        func.max(case((or_(rows.price != 0, rows.cost != 0), 1), else_=0)),
        func.max(rows.as_of),
    ).group_by(*keys)


def costs(records: Table, since: date, key: Key, shown: Collection[str]) -> Select[Any]:
    """Return the cost of each day and service, of each account that is shown, as `Cost`."""
    rows = _rows(records, since, key, shown).c
    keys = (rows.day, rows.service, rows.who, rows.is_fee)
    cost = func.sum(rows.cost)
    return select(*keys, cost).group_by(*keys).having(cost != 0)


def month_costs(records: Table, since: date, key: Key, shown: Collection[str]) -> Select[Any]:
    """Return the cost of each month and category, as `MonthCost`."""
    rows = _rows(records, since, key, shown).c
    keys = (rows.year, rows.month, rows.service, rows.category, rows.usage_unit, rows.who)
    cost = func.sum(rows.cost)
    return (
        select(*keys, cost, func.sum(rows.usage), func.max(rows.is_fee))
        .group_by(*keys)
        .having(cost != 0)
    )


def movements(records: Table, key: Key, before: Span, after: Span) -> Select[Any]:
    """Return the cost of each category and account in two spans, as `Movement`."""
    rows = _rows(records, before[0], key).c
    keys = (rows.service, rows.category, rows.account)
    was, is_ = rows.day.between(*before), rows.day.between(*after)
    return (
        select(
            *keys,
            func.sum(case((was, rows.cost))),
            func.sum(case((is_, rows.cost))),
            func.sum(case((was, rows.usage))),
            func.sum(case((is_, rows.usage))),
        )
        .where(or_(was, is_), rows.cost != 0)
        .group_by(*keys)
    )


def owner_costs(allocated: Table, since: date, unit: str, fees: Collection[str]) -> Select[Any]:
    """Return the cost of each day and service, of each owner, as `Cost`.

    `fees` are the categories that are charged without usage.
    """
    rows = _owned(allocated, since, unit, fees).c
    keys = (rows.day, rows.service, rows.owner, rows.is_fee)
    return select(*keys, func.sum(rows.cost)).group_by(*keys)


def owner_month_costs(allocated: Table, since: date, unit: str) -> Select[Any]:
    """Return the cost of each month and category, of each owner, as `MonthCost`."""
    rows = _owned(allocated, since, unit).c
    keys = (rows.year, rows.month, rows.service, rows.category)
    nothing = (null(), literal(0))
    return select(*keys, literal(""), rows.owner, func.sum(rows.cost), *nothing).group_by(
        *keys, rows.owner
    )


def group_months(records: Table) -> Select[Any]:
    """Return the cost of each month and product of the billing groups, as `GroupMonth`."""
    day = records.day("start_date")
    rows = records.select(
        records.unit().label("unit"),
        cast(extract("year", day), Integer).label("year"),
        cast(extract("month", day), Integer).label("month"),
        records.text("billing_group_id").label("billing_group"),
        records.text("product_name").label("product"),
        records.exact("price").label("price"),
        records.text("as_of").label("as_of"),
    ).subquery("records")
    keys = (rows.c.unit, rows.c.year, rows.c.month, rows.c.billing_group, rows.c.product)
    return select(*keys, func.sum(rows.c.price), func.max(rows.c.as_of)).group_by(*keys)


def _rows(
    records: Table, since: date, key: Key | None = None, shown: Collection[str] = ()
) -> Subquery:
    """Return the rows with an amount, and those of Twilio's totals, under plain names."""
    day, category = records.day("start_date"), records.text("category")
    price, cost = records.exact("price"), records.exact("deduplicated_price")
    is_total = func.lower(func.trim(category)) == TOTAL
    account, rolled_up = records.text("account_sid"), records.text("includes_subaccounts")
    unit = records.unit()
    wanted = [day >= since, or_(price != 0, cost != 0, is_total)]
    if key:
        wanted += [unit == key[0], rolled_up.is_(None) if key[1] is None else rolled_up == key[1]]
    who = case((account.in_(shown), account), else_=OTHERS) if shown else literal(OTHERS)
    return (
        records.select(
            func.coalesce(account, "no account").label("account"),
            rolled_up.label("rolled_up"),
            unit.label("unit"),
            day.label("day"),
            cast(extract("year", day), Integer).label("year"),
            cast(extract("month", day), Integer).label("month"),
            func.coalesce(func.nullif(records.text("service"), ""), "Other").label("service"),
            category.label("category"),
            case((records.text("billing_kind").in_(FEES), 1), else_=0).label("is_fee"),
            case((is_total, 1), else_=0).label("is_total"),
            who.label("who"),
            price.label("price"),
            cost.label("cost"),
            case((~is_total, records.exact("usage"))).label("usage"),
            func.coalesce(records.text("usage_unit"), "").label("usage_unit"),
            records.text("as_of").label("as_of"),
        )
        .where(and_(*wanted))
        .subquery("records")
    )


def _owned(allocated: Table, since: date, unit: str, fees: Collection[str] = ()) -> Subquery:
    day = allocated.day("start_date")
    return (
        allocated.select(
            day.label("day"),
            cast(extract("year", day), Integer).label("year"),
            cast(extract("month", day), Integer).label("month"),
            allocated.text("service").label("service"),
            allocated.text("category").label("category"),
            allocated.text("owner").label("owner"),
            case((allocated.text("category").in_(fees), 1), else_=0).label("is_fee"),
            allocated.exact("cost").label("cost"),
        )
        .where(day >= since, allocated.unit() == unit)
        .subquery("allocated")
    )


def budgets(status: Table, unit: str, day: date) -> Select[Any]:
    """Return the budgets of the periods that a day is in, as `Budget`."""
    first, last = status.day("period_start"), status.day("period_end")
    amounts = ("amount", "actual", "forecast", "forecast_low", "forecast_high")
    return status.select(
        *map(status.text, ("budget_id", "scope", "scope_value", "period")),
        *(first, last),
        *map(status.exact, (*amounts, "percent_used", "percent_of_period")),
        status.text("status"),
    ).where(status.unit("currency") == unit, first <= day, last >= day)


def forecasts(by_month: Table, unit: str, month: date) -> Select[Any]:
    """Return what a month will cost, all accounts and services together."""
    return by_month.select(func.sum(by_month.exact("forecast"))).where(
        by_month.unit() == unit, by_month.day("month") == month
    )


def anomalies(found: Table, unit: str, since: date) -> Select[Any]:
    """Return what is unusual, as `Anomaly`."""
    day = found.day("start_date")
    return found.select(
        day,
        *map(found.text, ("account_sid", "service", "category")),
        *map(found.exact, ("cost", "expected", "excess_cost")),
        found.text("kind"),
    ).where(found.unit() == unit, day >= since)


def charges(customers: Table, unit: str, since: date) -> Select[Any]:
    """Return what each customer is charged in each month, as `Charge`."""
    customer = func.coalesce(customers.text("customer_name"), customers.text("customer_id"))
    rows = (
        customers.select(
            customers.day("month").label("month"),
            customer.label("customer"),
            customers.exact("amount").label("amount"),
            customers.exact("cost").label("cost"),
            case((customers.text("is_closed"), 1), else_=0).label("is_closed"),
        )
        .where(
            customers.unit() == unit,
            customers.day("month") >= since.replace(day=1),
            customers.text("customer_id").is_not(None),
        )
        .subquery("charges")
        .c
    )
    keys = (rows.month, rows.customer)
    return select(
        *keys, func.sum(rows.amount), func.sum(rows.cost), func.min(rows.is_closed)
    ).group_by(*keys)


def invoices(reconciled: Table, unit: str, since: date) -> Select[Any]:
    """Return each invoice's reasons for its differences from the usage, as `Invoiced`."""
    rows = (
        reconciled.select(
            reconciled.text("invoice_id").label("invoice"),
            reconciled.day("period_start").label("first"),
            reconciled.day("period_end").label("last"),
            reconciled.text("reason").label("reason"),
            reconciled.exact("invoice_amount").label("amount"),
            reconciled.exact("usage_amount").label("usage"),
            reconciled.exact("difference").label("difference"),
        )
        .where(
            reconciled.unit("currency") == unit,
            reconciled.day("period_start") >= since.replace(day=1),
        )
        .subquery("reasons")
        .c
    )
    keys = (rows.invoice, rows.first, rows.last, rows.reason)
    return select(
        *keys, func.sum(rows.amount), func.sum(rows.usage), func.sum(rows.difference)
    ).group_by(*keys)
