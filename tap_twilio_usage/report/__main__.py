"""The command `tap-twilio-usage-report`: write the report of a warehouse to a file."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from decimal import Context, localcontext
from pathlib import Path

from tap_twilio_usage.report.command import MODELS, URL_HELP, failing_in_one_line
from tap_twilio_usage.report.errors import ReportError

# More digits than any price has: sums are exact, and shares are rounded.
EXACT = Context(prec=1000)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the report. A failure is one line and exit code 1."""
    asked = _parser().parse_args(arguments)
    with failing_in_one_line("report"):
        _write(asked)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tap-twilio-usage-report",
        description="Write an HTML report of the usage records in a warehouse.",
    )
    parser.add_argument("--url", help=URL_HELP)
    parser.add_argument(
        "--schema",
        help="schema of the loaded tables (default: tap_twilio_usage, else the default schema)",
    )
    parser.add_argument(
        "--models-schema",
        default=MODELS,
        metavar="SCHEMA",
        help=f"schema of the dbt models, if they are built (default: {MODELS})",
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
    parser.add_argument(
        "--csv", type=Path, metavar="FOLDER", help="also write each table as a CSV file"
    )
    parser.add_argument(
        "--focus",
        type=Path,
        metavar="FILE",
        help="also write focus_cost_and_usage as FOCUS, to a .csv or .parquet file",
    )
    return parser


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a valid date; use YYYY-MM-DD") from None


def _write(asked: argparse.Namespace) -> None:
    from tap_twilio_usage.report.address import address, place  # noqa: PLC0415
    from tap_twilio_usage.report.reading import read  # noqa: PLC0415
    from tap_twilio_usage.report.tables import Tables  # noqa: PLC0415
    from tap_twilio_usage.report.view.page import Report, rendered  # noqa: PLC0415
    from tap_twilio_usage.report.warehouse import connected  # noqa: PLC0415

    url = address(asked.url, os.environ)
    with localcontext(EXACT):
        with connected(url) as connection:
            tables = Tables(connection, asked.schema, asked.models_schema)
            figures = read(connection, tables, asked.since, _say)
            if asked.focus:
                from tap_twilio_usage.report.focus import write  # noqa: PLC0415

                _say("focus_cost_and_usage")
                write(connection, tables, asked.since, asked.focus)
        if not figures.parts and not figures.groups:
            raise ReportError(
                "the warehouse has no spend in these days; load them, or use an earlier --since"
            )
        if figures.parts and all(part.section.whole.total is None for part in figures.parts):
            raise ReportError(
                "no day has a totalprice with a price, so nothing is deduplicated; load the days "
                "again"
            )
        report = Report(figures, place(url))
        written = [(asked.output, rendered(report))]
        if asked.csv:
            written += [(asked.csv / name, table.csv()) for name, table in report.tables]
    if asked.csv:
        with _writing(asked.csv):
            asked.csv.mkdir(parents=True, exist_ok=True)
    for path, text in written:
        with _writing(path):
            path.write_text(text, encoding="utf-8")
    sys.stdout.write(f"report: written to {asked.output}; open it in a browser\n")


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ReportError(f"{path} cannot be written: {error.strerror}") from None


def _say(what: str) -> None:
    sys.stderr.write(f"report: reading {what}\n")


if __name__ == "__main__":
    main()
