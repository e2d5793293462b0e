"""The demo's answers: `python -m sandbox.answers FILE` prints what the dbt models say.

That is an owner's bill, a customer's invoice, a budget, a forecast, what is unusual, and Twilio's
invoice. Each sum is compared with Twilio's total.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from sandbox.report import Failure

TOTAL = """
SELECT date_trunc('month', start_date)::DATE AS month, sum(total)
FROM twilio_usage.reconciliation GROUP BY 1 ORDER BY 1 DESC LIMIT 2
"""
OWNERS = """
SELECT owner, sum(cost) FROM twilio_usage.allocated_cost
WHERE date_trunc('month', start_date) = $month GROUP BY 1 ORDER BY 2 DESC
"""
LINES = """
SELECT customer_name, line, sum(amount), sum(cost) FROM twilio_usage.customer_charges
WHERE month = $month GROUP BY 1, 2 ORDER BY 1, 2
"""
FORECAST = """
SELECT sum(actual), sum(forecast) FROM twilio_usage.forecast_by_month WHERE month = $month
"""
BUDGET = """
SELECT amount, actual, forecast, forecast_low, forecast_high, status
FROM twilio_usage.budget_status WHERE budget_id = 'everything' AND period_start = $month
"""
UNUSUAL = """
SELECT start_date, account_sid, category, cost, expected, kind
FROM twilio_usage.anomalies ORDER BY abs(excess_cost) DESC LIMIT 3
"""
INVOICE = """
SELECT reason, sum(difference), sum(invoice_amount), sum(usage_amount)
FROM twilio_usage.invoice_reconciliation WHERE period_start = $month GROUP BY 1 ORDER BY 1
"""


def lines(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Yield the lines of the answers. Raises Failure if a sum is not Twilio's total."""

    def fetch(query: str, month: date | None = None) -> list[Any]:
        return connection.execute(query, {"month": month} if month else {}).fetchall()

    (this_month, so_far), (last_month, total) = fetch(TOTAL)
    owners = fetch(OWNERS, last_month)
    _equal("allocated_cost", sum(cost for _, cost in owners), total)
    yield f"Who spent {total:,.2f} in {last_month:%Y-%m}"
    yield from (f"  {owner:<24}{cost:>12,.2f}" for owner, cost in owners)

    charges = fetch(LINES, last_month)
    _equal("customer_charges", sum(cost for *_, cost in charges), total)
    for name in sorted({name for name, *_ in charges if name}):
        mine = [(line, amount, cost) for each, line, amount, cost in charges if each == name]
        bill, cost = (sum(each[place] for each in mine) for place in (1, 2))
        yield f"Invoice of {name} for {last_month:%Y-%m}"
        yield from (f"  {line:<24}{amount:>12,.2f}" for line, amount, _ in mine)
        yield f"  {'sum':<24}{bill:>12,.2f}  for which Twilio charges {cost:,.2f}"

    ((actual, forecast),) = fetch(FORECAST, this_month)
    _equal("forecast_by_month", actual, so_far)
    ((amount, used, expected, low, high, status),) = fetch(BUDGET, this_month)
    _equal("budget_status", used, so_far)
    _equal("budget_status", expected, forecast)
    yield f"Budget for {this_month:%Y-%m}: {amount:,.2f}"
    yield f"  {'spent so far':<24}{used:>12,.2f}"
    yield f"  {'expected at the end':<24}{expected:>12,.2f}  ({low:,.2f} to {high:,.2f}): {status}"

    yield "Unusual in the last 90 days"
    for day, sid, category, cost, usual, kind in fetch(UNUSUAL):
        account = f"AC...{sid[-4:]}"
        yield f"  {day} {account} {category}: {cost:,.2f} instead of {usual:,.2f} ({kind})"

    reasons = fetch(INVOICE, last_month)
    _equal("invoice_reconciliation", sum(usage for *_, usage in reasons), total)
    yield f"Twilio's invoice for {last_month:%Y-%m}"
    yield f"  {'usage':<24}{total:>12,.2f}"
    yield from (f"  {reason:<24}{more:>12,.2f}" for reason, more, *_ in reasons if more)
    yield f"  {'sum':<24}{sum(billed for _, _, billed, _ in reasons):>12,.2f}"
    yield "Each of these sums was compared with Twilio's totalprice: all are equal."


def _equal(mart: str, found: Decimal, total: Decimal) -> None:
    if found != total:
        raise Failure(f"{mart} adds up to {found:,f}, not {total:,f}")


def main(arguments: list[str]) -> int:
    """Print the answers. The exit code is 1 if a sum is not Twilio's total."""
    path = Path(arguments[0] if arguments else "output/demo.duckdb")
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            text = "\n".join(lines(connection))
    except (Failure, duckdb.Error, ValueError) as error:
        sys.stderr.write(f"answers: {error}\n")
        return 1
    sys.stdout.write(f"{text}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
