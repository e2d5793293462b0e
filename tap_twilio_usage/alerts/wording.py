"""The lines of alerts."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from tap_twilio_usage.alerts.balance import Lasting
from tap_twilio_usage.alerts.today import Usual


def money(amount: Any, unit: str | None) -> str:
    """Return an amount with two decimals, or with all if it would be 0.00 without them."""
    amount = Decimal(str(amount))
    rounded = f"{amount:,.2f}"
    if amount and not Decimal(rounded.replace(",", "")):
        rounded = f"{amount.normalize():f}"
    return f"{rounded} {currency(unit)}".rstrip()


def currency(unit: str | None) -> str:
    """Return the currency as the models write it; Twilio's is in lower case."""
    return (unit or "").strip().upper()


def one_line(text: str) -> str:
    """Return the text in one line, whatever a name contains."""
    return " ".join(text.split())


def anomaly(row: Any, account: str) -> str:
    """Return the line of a row of `anomalies`."""
    unit = row.price_unit
    said = f"{row.start_date} {account}: {row.category} cost {money(row.cost, unit)}"
    if row.kind == "new_category":
        return one_line(f"{said}, and nothing before ({row.kind})")
    if row.kind == "price_change":
        return one_line(
            f"{said}, {money(row.excess_cost, unit)} of it by another price ({row.kind})"
        )
    return one_line(f"{said}, expected {money(row.expected, unit)} ({row.kind})")


def budget(row: Any) -> str:
    """Return the line of a row of `budget_status`."""
    unit = row.currency
    said = (
        f"budget {row.budget_id}, {row.period_start} to {row.period_end}: {row.status}: "
        f"{money(row.actual, unit)} of {money(row.amount, unit)} spent"
    )
    if row.status == "over":
        return one_line(said)
    return one_line(
        f"{said}, forecast {money(row.forecast, unit)} (from {money(row.forecast_low, None)} to "
        f"{money(row.forecast_high, None)})"
    )


def month(row: Any, account: str) -> str:
    """Return the line of a row of `reconciliation_by_month`."""
    said = f"{row.month:%Y-%m} {account}: {row.status}"
    if row.status == "days_missing":
        return one_line(f"{said}: {row.days_loaded} of {row.days_expected} days are loaded")
    daily = money(row.daily_total, row.price_unit)
    if row.status == "month_missing":
        return one_line(f"{said}: Twilio has no total of the month; its days add up to {daily}")
    difference = money(abs(row.difference_monthly), row.price_unit)
    than = "more" if row.difference_monthly > 0 else "less"
    return one_line(
        f"{said}: Twilio's total of the month is {difference} {than} than the {daily} of its days"
    )


def today(row: Any, day: date, account: str, usual: Usual) -> str:
    """Return the line of a day that is not over."""
    unit = row.price_unit
    return one_line(
        f"{day} {account}: {row.category} cost {money(row.deduplicated_price, unit)} so far, "
        f"expected {money(round(usual.expected, 6), unit)} on the whole day, usually "
        f"{money(round(usual.high, 6), unit)} at most"
    )


def balance(lasts: Lasting, account: str) -> str:
    """Return the line of a balance."""
    unit = lasts.currency
    days = f"{lasts.days:.1f}"
    return one_line(
        f"{lasts.retrieved_on} {account}: a balance of {money(lasts.balance, unit)} lasts {days} "
        f"days at {money(round(lasts.a_day, 6), unit)} a day"
    )


def not_fresh(newest: date) -> str:
    """Return the line of a warehouse that is not loaded any more."""
    return f"no day after {newest} is in the models; check the nightly load, and dbt build"
