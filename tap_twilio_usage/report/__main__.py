"""The command: `tap-twilio-usage-report` writes the report of a warehouse to a file."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import date
from decimal import Context, localcontext
from pathlib import Path

from tap_twilio_usage.report.errors import ReportError

# More digits than any price: sums are exact, however long the amounts.
EXACT = Context(prec=1000)
URL = "TAP_TWILIO_USAGE_REPORT_URL"
EXTRA = {"altair", "duckdb_engine", "jinja2", "markupsafe", "psycopg", "sqlalchemy", "vl_convert"}


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the report; what stands in its way is one line and exit code 1."""
    asked = _parser().parse_args(arguments)
    url = asked.url or os.environ.get(URL)
    if not url:
        sys.exit(f"report: no warehouse: give its --url, or set {URL}")
    try:
        _write(url, asked.schema, asked.since, asked.output)
    except ReportError as error:
        sys.exit(f"report: {error}")
    except ModuleNotFoundError as error:
        wanted = "'tap-twilio-usage[report]'" if error.name in EXTRA else "the package it is in"
        sys.exit(f"report: {error.name} is missing: pip install {wanted}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tap-twilio-usage-report",
        description="Write an HTML report of usage_records_daily in a warehouse.",
    )
    parser.add_argument(
        "--url",
        help=f"SQLAlchemy URL of the warehouse; better in {URL} where it holds a password",
    )
    parser.add_argument("--schema", help="by default tap_twilio_usage, else the default schema")
    parser.add_argument(
        "--since",
        type=date.fromisoformat,
        metavar="YYYY-MM-DD",
        help="first day; by default the first of the month, six months before the last day",
    )
    parser.add_argument("--output", type=Path, default=Path("report.html"), metavar="FILE")
    return parser


def _write(url: str, schema: str | None, since: date | None, output: Path) -> None:
    from tap_twilio_usage.report.figures import summed  # noqa: PLC0415
    from tap_twilio_usage.report.page import rendered  # noqa: PLC0415
    from tap_twilio_usage.report.warehouse import charges  # noqa: PLC0415

    with localcontext(EXACT):
        with charges(url, schema, since) as found:
            sections = summed(found)
        if not sections:
            raise ReportError("the warehouse holds no spend in these days")
        page = rendered(sections)
    try:
        output.write_text(page, encoding="utf-8")
    except OSError as error:
        raise ReportError(f"{output} cannot be written: {error.strerror}") from None
    sys.stdout.write(f"report: open {output} in a browser\n")


if __name__ == "__main__":
    main()
