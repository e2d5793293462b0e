"""Read what alerts are made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from functools import cached_property
from typing import Any

from sqlalchemy import (
    Connection,
    Date,
    TableClause,
    case,
    cast,
    column,
    func,
    inspect,
    or_,
    select,
    table,
)

from tap_twilio_usage.alerts.balance import DAYS as PACE_DAYS
from tap_twilio_usage.alerts.balance import Lasting, lasting
from tap_twilio_usage.alerts.today import NEVER, WEEKS, History, Series
from tap_twilio_usage.money.hierarchy import TOTAL
from tap_twilio_usage.report.command import SCHEMA
from tap_twilio_usage.report.errors import ReportError

ANOMALIES = (
    "anomalies",
    (
        *("start_date", "account_sid", "category", "price_unit"),
        *("cost", "expected", "high", "excess_cost", "kind"),
    ),
)
BUDGETS = (
    "budget_status",
    (
        *("budget_id", "period_start", "period_end", "currency", "amount", "actual"),
        *("forecast", "forecast_low", "forecast_high", "status"),
    ),
)
MONTHS = (
    "reconciliation_by_month",
    (
        *("month", "account_sid", "price_unit", "days_expected", "days_loaded"),
        *("daily_total", "difference_monthly", "status"),
    ),
)
LOADED_DAYS = "reconciliation", ("start_date",)
DAILY = (
    "usage_records_daily",
    (
        *("account_sid", "category", "price_unit", "start_date"),
        *("deduplicated_price", "billing_kind"),
    ),
)
TODAY = "usage_records_today", DAILY[1]
BALANCE = "balance", ("account_sid", "balance", "currency", "retrieved_on")
FEES = ("recurring", "one_time", "service_fee")

Wanted = tuple[str, Sequence[str]]


class MissingTable(ReportError):
    """A `table` is not there; `what_to_do` says what to do."""

    def __init__(self, name: str, what_to_do: str) -> None:
        """Take the name of the table, and what to do."""
        super().__init__(f"no table {name} {what_to_do}")
        self.table = name
        self.what_to_do = what_to_do


class EmptyTable(ReportError):
    """A table is there, without a row."""


class Warehouse:
    """The tables of the dbt models and of the tap, wherever they are."""

    def __init__(self, connection: Connection, models: str, loaded: str | None) -> None:
        """Take the schemas of the models and of the loaded tables."""
        self.connection = connection
        self._inspector = inspect(connection)
        self._models = models
        self._loaded = [loaded] if loaded else [SCHEMA, None]

    def model(self, wanted: Wanted) -> TableClause:
        """Return a model. Raises MissingTable."""
        found = self._found(wanted, [self._models])
        if found is None:
            where = f"in schema {self._models}"
            raise MissingTable(wanted[0], f"{where}; build the dbt models, or use --schema")
        return found

    def loaded(self, wanted: Wanted) -> TableClause:
        """Return a table of the tap. Raises MissingTable."""
        found = self._found(wanted, self._loaded)
        if found is None:
            where = f"in schema {self._loaded[0]}"
            if len(self._loaded) > 1:
                where += " or in the default schema"
            raise MissingTable(wanted[0], f"{where}; load this stream, or use --raw-schema")
        return found

    def schema_for(self, name: str) -> str | None:
        """Return the schema for a table of our own: that of the models, if there are any."""
        places = [self._models, *self._loaded]
        for wanted in (name, LOADED_DAYS[0], DAILY[0]):
            found = self._found((wanted, ()), places)
            if found is not None:
                return found.schema
        return self.loaded(DAILY).schema

    @cached_property
    def names(self) -> dict[str, str | None]:
        """The names of accounts by SID; none if they are not loaded."""
        return self._accounts("friendly_name")

    def newest_day(self) -> date:
        """Return the newest day that is in the models."""
        return self._newest(self.model(LOADED_DAYS))

    def anomalies(self, days: int) -> Sequence[Any]:
        """Return the rows of `anomalies` of the last days."""
        found = self.model(ANOMALIES)
        since = self.newest_day() - timedelta(days=days)
        return self._rows(found, 4, found.c.start_date >= since)

    def budgets(self, days: int) -> Sequence[Any]:
        """Return the rows of `budget_status` but those of periods that ended earlier."""
        found = self.model(BUDGETS)
        since = self.newest_day() - timedelta(days=days)
        return self._rows(found, 4, found.c.period_end >= since)

    def months(self) -> Sequence[Any]:
        """Return the rows of `reconciliation_by_month`."""
        return self._rows(self.model(MONTHS), 3)

    def costs_of_today(self) -> tuple[date, Sequence[Any]]:
        """Return the newest day of `usage_records_today`, and its rows that cost something."""
        found = self.loaded(TODAY)
        day = self._newest(found)
        is_of_day = cast(found.c.start_date, Date) == day
        return day, self._rows(found, 2, is_of_day, found.c.deduplicated_price > 0)

    def balances(self) -> Iterator[Lasting]:
        """Yield how long each account's newest balance lasts."""
        found, daily = self.loaded(BALANCE), self.loaded(DAILY)
        newest = func.max(found.c.retrieved_on)
        latest = dict(
            self.connection.execute(
                select(found.c.account_sid, newest).group_by(found.c.account_sid)
            )
            .tuples()
            .all()
        )
        balances = [
            row for row in self._rows(found, 1) if row.retrieved_on == latest[row.account_sid]
        ]
        day, start = self._newest(daily), cast(daily.c.start_date, Date)
        spent = self.connection.execute(
            select(
                daily.c.account_sid,
                daily.c.price_unit,
                func.sum(daily.c.deduplicated_price).label("spent"),
            )
            .where(start >= day - timedelta(days=PACE_DAYS), start < day)
            .group_by(daily.c.account_sid, daily.c.price_unit)
        ).all()
        return lasting(balances, spent, self._accounts("owner_account_sid"))

    def histories(self, day: date) -> dict[Series, History]:
        """Return what each category cost in the eight weeks before the day.

        `NEVER` has the history of all others.
        """
        found = self.loaded(DAILY)
        start = cast(found.c.start_date, Date)
        price = found.c.deduplicated_price
        series = found.c.account_sid, found.c.category, found.c.price_unit
        weekdays = [day - timedelta(weeks=weeks) for weeks in range(1, WEEKS + 1)]
        first = weekdays[-1]
        costs = self.connection.execute(
            select(
                *series,
                func.min(case((price != 0, start))).label("first_cost"),
                func.max(price).label("largest"),
                func.count(case((price != 0, 1))).label("days_with_cost"),
                func.max(case((found.c.billing_kind.in_(FEES), 1), else_=0)).label("is_fee"),
            )
            .where(start >= first, start < day)
            .group_by(*series)
            .having(func.count(case((price != 0, 1))) > 0)
        ).all()
        is_total = func.lower(func.trim(found.c.category)) == TOTAL
        loaded: defaultdict[str | None, set[date]] = defaultdict(set)
        by_day: dict[tuple[Series, date], float] = {}
        for account, category, unit, start_date, cost, counts in self.connection.execute(
            select(*series, start, price, case((is_total, 1), else_=0)).where(
                start.in_(weekdays), or_(price != 0, is_total)
            )
        ):
            if counts:
                loaded[account].add(start_date)
            by_day[(account, category, unit), start_date] = float(cost or 0)
        oldest = self.connection.execute(
            select(func.min(start)).where(start >= first, start < day)
        ).scalar()
        days_loaded = (day - oldest).days if oldest else 0
        histories = {NEVER: History(days_loaded=days_loaded)}
        for row in costs:
            key = row.account_sid, row.category, row.price_unit
            histories[key] = History(
                same_weekday=[
                    by_day.get((key, each), 0.0)
                    for each in weekdays
                    if each >= row.first_cost and each in loaded[row.account_sid]
                ],
                largest=float(row.largest),
                days=(day - row.first_cost).days,
                days_with_cost=row.days_with_cost,
                days_loaded=days_loaded,
                is_fee=bool(row.is_fee),
            )
        return histories

    def _rows(self, found: TableClause, keys: int, *conditions: Any) -> Sequence[Any]:
        """Return the rows, in the same order of the first columns in every warehouse."""
        rows = self.connection.execute(select(*found.c).where(*conditions))
        return sorted(rows, key=lambda row: [f"{each}" for each in row[:keys]])

    def _accounts(self, name: str) -> dict[str, str | None]:
        """Return a column of `accounts` by SID; nothing if they are not loaded."""
        found = self._found(("accounts", ("account_sid", name)), self._loaded)
        if found is None:
            return {}
        return dict(self.connection.execute(select(*found.c)).tuples().all())

    def _newest(self, found: TableClause) -> date:
        newest = self.connection.execute(select(func.max(cast(found.c.start_date, Date)))).scalar()
        if newest is None:
            raise EmptyTable(f"{found.fullname} is empty; load it first")
        day: date = newest
        return day

    def _found(self, wanted: Wanted, schemas: Sequence[str | None]) -> TableClause | None:
        name, columns = wanted
        for schema in schemas:
            if self._inspector.has_table(name, schema=schema):
                return table(name, *map(column, columns), schema=schema)
        return None
