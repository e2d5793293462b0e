"""The demo's report: `python -m sandbox.report FILE` prints the spend and checks the totals."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

TABLE = "tap_twilio_usage.usage_records_daily"
ROWS = f"SELECT *, lower(trim(category)) = 'totalprice' AS is_total FROM {TABLE}"  # noqa: S608
HAS_TABLE = f"SELECT 1 FROM duckdb_tables() WHERE schema_name || '.' || table_name = '{TABLE}'"  # noqa: S608
SUMS = """
SELECT
    min(start_date), max(start_date), string_agg(DISTINCT price_unit, ', '),
    sum(price) FILTER (NOT is_total), sum(deduplicated_price), sum(price) FILTER (is_total),
    count(DISTINCT account_sid)
FROM rows
"""
SERVICES = """
SELECT service, sum(deduplicated_price) FROM rows
GROUP BY service HAVING sum(deduplicated_price) <> 0 ORDER BY 2 DESC, 1
"""
DAYS = """
SELECT start_date, sum(deduplicated_price), sum(price) FILTER (is_total) FROM rows
GROUP BY account_sid, includes_subaccounts, price_unit, start_date ORDER BY start_date
"""


class Failure(Exception):
    """There is nothing to report, or the totals differ; the message is for the user."""


@dataclass(frozen=True)
class Report:
    """Sums over all loaded days; a day of an account is its date, deduplicated sum and total."""

    first_day: date
    last_day: date
    unit: str
    naive: Decimal
    deduplicated: Decimal
    total: Decimal
    accounts: int
    services: list[tuple[str, Decimal]]
    days: list[tuple[date, Decimal | None, Decimal | None]]

    def wrong_days(self) -> list[str]:
        """Return a line for each day whose deduplicated sum differs from Twilio's total."""
        return [
            f"{day}: SUM(deduplicated_price) is {_plain(deduplicated)}, totalprice {_plain(total)}"
            for day, deduplicated, total in self.days
            if deduplicated != total
        ]

    def lines(self) -> list[str]:
        """Return the lines of the report."""
        sums = [
            ("Sum of all categories", self.naive, self._factor()),
            ("SUM(deduplicated_price)", self.deduplicated, "each dollar counted once"),
            ("Twilio's totalprice", self.total, f"equal on all {self._days()}"),
        ]
        services = [(name, spend, f"{self._share(spend):>6}") for name, spend in self.services]
        decimals = max(_decimals(amount) for _, amount, _ in (*services, *sums))
        names = max(len(name) for name, _, _ in (*services, *sums))
        amounts = max(len(f"{amount:,.{decimals}f}") for _, amount, _ in (*services, *sums))
        head = f"Spend by service, {self.first_day} to {self.last_day} GMT, {self.unit}"
        rule = "-" * (names + amounts + 10)
        table, proof = (
            [
                f"{name:<{names}}  {amount:>{amounts},.{decimals}f}  {note}"
                for name, amount, note in part
            ]
            for part in (services, sums)
        )
        return [head, rule, *table, rule, *proof]

    def _days(self) -> str:
        days = len({day for day, *_ in self.days})
        return f"{days} days" + (f" of {self.accounts} accounts" if self.accounts > 1 else "")

    def _share(self, spend: Decimal) -> str:
        return f"{100 * spend / self.total:.1f}%" if self.total else ""

    def _factor(self) -> str:
        return f"{self.naive / self.total:.2f} times the bill" if self.total else ""


def read(path: Path) -> Report:
    """Return the exact sums of what the demo has loaded; raise `Failure` if there is nothing."""
    if not path.is_file():
        raise Failure(f"{path} is missing; load it first: meltano run demo")
    with duckdb.connect(str(path), read_only=True) as connection:
        if not _fetch(connection, HAS_TABLE):
            raise Failure(f"{path} has no usage_records_daily; load it again: meltano run demo")
        connection.execute(f"CREATE TEMP VIEW rows AS {ROWS}")
        ((first_day, last_day, unit, *sums, accounts),) = _fetch(connection, SUMS)
        naive, deduplicated, total = sums
        if None in {naive, deduplicated, total}:
            raise Failure(f"{path} has no prices or no totalprice row")
        return Report(
            first_day,
            last_day,
            unit or "no currency",
            naive,
            deduplicated,
            total,
            accounts,
            services=_fetch(connection, SERVICES),
            days=_fetch(connection, DAYS),
        )


def proven(report: Report) -> Report:
    """Return the report if every day adds up; otherwise raise `Failure`."""
    if wrong := report.wrong_days():
        raise Failure(f"{len(wrong)} of {len(report.days)} days do not add up; {wrong[0]}")
    return report


def main(arguments: list[str]) -> int:
    """Print the report. The exit code is 1 if a day does not add up."""
    path = Path(arguments[0] if arguments else "output/demo.duckdb")
    try:
        report = proven(read(path))
    except (Failure, duckdb.Error) as error:
        sys.stderr.write(f"report: {error}\n")
        return 1
    sys.stdout.write("\n".join(report.lines()) + "\n")
    return 0


def _fetch(connection: duckdb.DuckDBPyConnection, query: str) -> list[Any]:
    return connection.execute(query).fetchall()


def _decimals(amount: Decimal) -> int:
    """Return the number of decimals that an amount needs, at least two."""
    return max(2, len(f"{amount:f}".partition(".")[2].rstrip("0")))


def _plain(amount: Decimal | None) -> str:
    return "missing" if amount is None else f"{amount:,.{_decimals(amount)}f}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
