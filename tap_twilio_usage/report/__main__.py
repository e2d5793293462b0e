"""The command `tap-twilio-usage-report`: write the report of a warehouse to a file."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import date
from decimal import Context, localcontext
from pathlib import Path

from tap_twilio_usage.report.errors import ReportError

# More digits than any price has: sums are exact.
EXACT = Context(prec=1000)
URL = "TAP_TWILIO_USAGE_REPORT_URL"
EXTRA = {"altair", "duckdb_engine", "jinja2", "markupsafe", "psycopg", "sqlalchemy", "vl_convert"}


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the report. A failure is one line and exit code 1."""
    asked = _parser().parse_args(arguments)
    url = asked.url or os.environ.get(URL)
    if not url:
        sys.exit(f"report: no warehouse is given; use --url, or set {URL}")
    try:
        _write(url, asked.schema, asked.since, asked.output)
    except ReportError as error:
        sys.exit(f"report: {error}")
    except ModuleNotFoundError as error:
        wanted = "'tap-twilio-usage[report]'" if error.name in EXTRA else "its package"
        sys.exit(f"report: {error.name} is not installed; pip install {wanted}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tap-twilio-usage-report",
        description="Write an HTML report of the table usage_records_daily in a warehouse.",
    )
    parser.add_argument(
        "--url",
        help=f"SQLAlchemy URL of the warehouse; if it contains a password, set {URL} instead",
    )
    parser.add_argument(
        "--schema", help="schema of the table (default: tap_twilio_usage, else the default schema)"
    )
    parser.add_argument(
        "--since",
        type=_day,
        metavar="YYYY-MM-DD",
        help="first day (default: the first of the month, six months before the last day)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("report.html"),
        metavar="FILE",
        help="file to write (default: report.html)",
    )
    return parser


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a valid date; use YYYY-MM-DD") from None


def _write(url: str, schema: str | None, since: date | None, output: Path) -> None:
    from tap_twilio_usage.report.figures import summed  # noqa: PLC0415
    from tap_twilio_usage.report.page import rendered  # noqa: PLC0415
    from tap_twilio_usage.report.warehouse import loaded  # noqa: PLC0415

    with localcontext(EXACT):
        with loaded(url, schema, since) as (charges, months):
            sections = summed(charges, months, since)
        if not sections:
            raise ReportError(
                "the warehouse has no spend in these days; load them, or use an earlier --since"
            )
        if all(section.whole.total is None for section in sections):
            raise ReportError(
                "no day has a totalprice with a price, so nothing is deduplicated; load the days "
                "again"
            )
        page = rendered(sections)
    try:
        output.write_text(page, encoding="utf-8")
    except OSError as error:
        raise ReportError(f"{output} cannot be written: {error.strerror}") from None
    sys.stdout.write(f"report: written to {output}; open it in a browser\n")


if __name__ == "__main__":
    main()
