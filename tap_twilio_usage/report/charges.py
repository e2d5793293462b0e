"""The command `tap-twilio-usage-charges`: write a month's charges as invoice items, in CSV."""

from __future__ import annotations

import argparse
import csv
import io
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

from tap_twilio_usage.report.command import MODELS, URL_HELP, failing_in_one_line, read_month
from tap_twilio_usage.report.errors import ReportError

TABLE = "customer_charges"
# The parameters of Stripe's POST /v1/invoiceitems; its periods are in seconds, both ends inclusive.
COLUMNS = ("customer", "amount", "currency", "description", "period[start]", "period[end]")
LINES = {"plan": "Plan", "overage": "Overage", "usage": "Usage", "markup": "Markup"}
# Of Stripe's currencies, those whose smallest unit is not a hundredth.
WITHOUT_CENTS = {
    *("BHD", "BIF", "CLP", "DJF", "GNF", "ISK", "JOD", "JPY", "KMF", "KRW", "KWD", "MGA", "OMR"),
    *("PYG", "RWF", "TND", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the CSV. A failure is one line and exit code 1."""
    asked = _parser().parse_args(arguments)
    with failing_in_one_line("charges"):
        rows = _rows(asked.url, asked.schema, asked.month)
        text = _text(_items(rows, asked.month, draft=asked.draft))
        if asked.output:
            _write(asked.output, text)
        else:
            sys.stdout.write(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tap-twilio-usage-charges",
        description=f"Write a month of the dbt model {TABLE} as Stripe invoice items, in CSV.",
    )
    parser.add_argument(
        "--month", required=True, type=read_month, metavar="YYYY-MM", help="the month"
    )
    parser.add_argument("--url", help=URL_HELP)
    parser.add_argument(
        "--schema", default=MODELS, help=f"schema of the dbt models (default: {MODELS})"
    )
    parser.add_argument(
        "--draft", action="store_true", help="also if the month is not closed and may still change"
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="file to write (default: standard output)"
    )
    return parser


def _rows(given: str | None, schema: str, month: date) -> list[Any]:
    """Return the rows of customers, in the order of their invoices."""
    from sqlalchemy import column, inspect, select, table  # noqa: PLC0415

    from tap_twilio_usage.report.address import address  # noqa: PLC0415
    from tap_twilio_usage.report.warehouse import connected  # noqa: PLC0415

    url = address(given, os.environ)
    names = (
        *("customer_id", "price_unit", "line", "plan_id", "item", "quantity", "unit_price"),
        *("amount", "is_closed"),
    )
    charges = table(TABLE, *map(column, (*names, "month")), schema=schema)
    with connected(url) as connection:
        if not inspect(connection).has_table(TABLE, schema=schema):
            raise ReportError(
                f"no table {TABLE} in schema {schema}; build the dbt models, or use --schema"
            )
        wanted = select(*(charges.c[name] for name in names)).where(charges.c.month == month)
        rows = connection.execute(wanted.where(charges.c.customer_id.is_not(None))).all()
    order = [*LINES, "adjustment"]
    return sorted(
        rows,
        key=lambda row: (
            *(row.customer_id, row.price_unit or "", order.index(row.line)),
            *(row.plan_id or "", row.item or ""),
        ),
    )


def _items(rows: Sequence[Any], month: date, *, draft: bool) -> Iterator[tuple[Any, ...]]:
    """Yield an invoice item for each line that is not zero."""
    if not rows:
        raise ReportError(f"no customer is charged for {month:%Y-%m}")
    if not draft and not all(row.is_closed for row in rows):
        raise ReportError(
            f"{month:%Y-%m} is not closed, so its charges may still change; close it, or use "
            "--draft"
        )
    following = (month + timedelta(days=31)).replace(day=1)
    start, end = _seconds(month), _seconds(following) - 1
    for row in rows:
        currency = row.price_unit or ""
        if len(currency) != len("USD") or currency in WITHOUT_CENTS:
            raise ReportError(
                f"customer {row.customer_id} is charged in {currency or 'no currency'}, which has "
                "no cents; only currencies with cents can be written"
            )
        if row.amount:
            cents = int(Decimal(str(row.amount)) * 100)
            yield (row.customer_id, cents, currency.lower(), _said(row, month), start, end)


def _said(row: Any, month: date) -> str:
    """Return the words on the invoice."""
    if row.line == "adjustment":
        return f"Adjustment of months before {month:%Y-%m}"
    said = LINES[row.line]
    if row.item:
        said += f" {row.item}"
    if row.plan_id:
        said += f" {row.plan_id}" if row.line == "plan" else f" (plan {row.plan_id})"
    if row.line == "overage":
        said += f", {_plain(row.quantity)} at {_plain(row.unit_price)}"
    return f"{said}, {month:%Y-%m}"


def _plain(number: Any) -> str:
    """Return a number without zeros at its end."""
    return f"{Decimal(str(number)).normalize():f}"


def _seconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=timezone.utc).timestamp())


def _text(items: Iterable[tuple[Any, ...]]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(items)
    return file.getvalue()


def _write(output: Path, text: str) -> None:
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ReportError(f"{output} cannot be written: {error.strerror}") from None
    sys.stderr.write(f"charges: written to {output}\n")


if __name__ == "__main__":
    main()
