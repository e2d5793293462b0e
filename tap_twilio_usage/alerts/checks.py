"""What is checked, each check with the tables that it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from tap_twilio_usage.alerts import alert, wording
from tap_twilio_usage.alerts.alert import Alert, Names
from tap_twilio_usage.alerts.warehouse import EmptyTable, MissingTable, Warehouse
from tap_twilio_usage.report.errors import ReportError

DAYS_WITHOUT_LOAD = 2


class Options(NamedTuple):
    """What the command was asked for."""

    today: date
    days: int
    minimum: int
    balance_days: int


class Found(NamedTuple):
    """The alerts, and a line for each reason why something could not be checked."""

    alerts: list[Alert]
    unchecked: list[str]


class Checks:
    """The checks of a warehouse."""

    def __init__(self, warehouse: Warehouse, options: Options) -> None:
        """Take the warehouse and the options; make no query yet."""
        self._warehouse = warehouse
        self._options = options
        self._notes: list[str] = []

    def run(self, names: Sequence[str], optional: Sequence[str]) -> Found:
        """Return what the checks find. Raises ReportError if no check can be made.

        The tables of the `optional` checks may be missing or empty.
        """
        alerts: list[Alert] = []
        missing: list[MissingTable] = []
        empty: list[EmptyTable] = []
        made = 0
        for name in names:
            try:
                alerts += ALL[name](self)
                made += 1
            except MissingTable as error:
                if name not in optional:
                    missing.append(error)
            except EmptyTable as error:
                if name not in optional:
                    empty.append(error)
        lines = [*_missing_lines(missing), *dict.fromkeys(map(str, empty))]
        if not made:
            raise ReportError("; ".join(lines))
        return Found(alerts, lines + self._notes)

    def fresh(self) -> Iterator[Alert]:
        """Yield an alert if the newest day of the models is some days ago."""
        newest = self._warehouse.newest_day()
        if newest < self._options.today - timedelta(days=DAYS_WITHOUT_LOAD):
            yield Alert(f"fresh/{newest}", 1, wording.not_fresh(newest))

    def anomalies(self) -> Iterator[Alert]:
        """Yield the unusual days of the last days that are loaded."""
        rows = self._warehouse.anomalies(self._options.days)
        yield from alert.of_anomalies(rows, self._names())

    def budgets(self) -> Iterator[Alert]:
        """Yield the budgets that are at risk or over, of this period or one that has just ended."""
        yield from alert.of_budgets(self._warehouse.budgets(self._options.days))

    def months(self) -> Iterator[Alert]:
        """Yield the months that do not reconcile."""
        yield from alert.of_months(self._warehouse.months(), self._names())

    def costs_of_today(self) -> Iterator[Alert]:
        """Yield the categories that already cost more today than on a whole day."""
        day, rows = self._warehouse.costs_of_today()
        if day != self._options.today:
            self._notes.append(_not_of_today(day))
        histories = self._warehouse.histories(day)
        yield from alert.of_today(rows, day, histories, self._options.minimum, self._names())

    def balance(self) -> Iterator[Alert]:
        """Yield the balances that last for a few days only."""
        for each in self._warehouse.balances():
            if each.days is not None and each.days < self._options.balance_days:
                key = f"balance/{each.account}/{each.currency}/{each.retrieved_on}"
                account = self._names().of(each.account)
                yield Alert(key, 1, wording.balance(each, account))

    def _names(self) -> Names:
        return Names(self._warehouse.names)


def _missing_lines(missing: Sequence[MissingTable]) -> Iterator[str]:
    """Yield a line for each thing to do about missing tables."""
    for what_to_do in dict.fromkeys(error.what_to_do for error in missing):
        names = [error.table for error in missing if error.what_to_do == what_to_do]
        yield f"no table {', '.join(names)} {what_to_do}"


def _not_of_today(day: date) -> str:
    return f"usage_records_today is of {day}, not of today; load it before this check"


ALL: Mapping[str, Callable[[Checks], Iterator[Alert]]] = {
    "fresh": Checks.fresh,
    "anomalies": Checks.anomalies,
    "budgets": Checks.budgets,
    "months": Checks.months,
    "today": Checks.costs_of_today,
    "balance": Checks.balance,
}
