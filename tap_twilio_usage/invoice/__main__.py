"""The command `python -m tap_twilio_usage.invoice`: Twilio's invoice CSVs as `invoice_lines`."""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Context, Decimal, localcontext
from pathlib import Path

from tap_twilio_usage.invoice import amounts, dates
from tap_twilio_usage.invoice.errors import InvoiceError
from tap_twilio_usage.invoice.line import KINDS, Line
from tap_twilio_usage.invoice.lines import Hints, lines_of
from tap_twilio_usage.invoice.table import read
from tap_twilio_usage.money.amounts import ZERO

EXACT = Context(prec=1000)
MOST_PROBLEMS = 20


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the files and write their lines. A failure is exit code 1, and nothing is written."""
    asked = _parser().parse_args(arguments)
    signs = {name: sign for sign, name in amounts.NAMES.items()}
    hints = Hints(
        asked.invoice_id, asked.month, asked.currency, signs.get(asked.decimal), asked.dates
    )
    with localcontext(EXACT):
        try:
            lines = lines_of_all(_files(asked.files), hints)
            _write(lines, asked.output)
        except InvoiceError as error:
            problems = error.problems
            for problem in problems[:MOST_PROBLEMS]:
                _log(problem)
            if len(problems) > MOST_PROBLEMS:
                _log(f"and {len(problems) - MOST_PROBLEMS:,} more problems")
            sys.exit(1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tap_twilio_usage.invoice",
        description="Read Twilio's invoice CSVs; write their lines as the table invoice_lines.",
    )
    add = parser.add_argument
    add("files", nargs="+", type=Path, metavar="FILE", help="a file, or a folder of .csv files")
    add(
        "--output",
        type=Path,
        metavar="FILE",
        help="file to write, such as dbt/seeds/invoice_lines.csv (default: standard output)",
    )
    add("--invoice-id", metavar="ID", help="of files that have none")
    add("--month", type=_month, metavar="YYYY-MM", help="month of files that have none, or several")
    add("--currency", type=_currency, metavar="CODE", help="of files that have none, such as USD")
    add("--decimal", choices=sorted(amounts.NAMES.values()), help="where '1,234' may be either")
    add(
        "--dates",
        choices=[dates.DAY_FIRST, dates.MONTH_FIRST],
        help="where '03/04/2025' may be either",
    )
    return parser


def _month(text: str) -> dates.Period:
    try:
        found = dates.month(text)
    except ValueError:
        found = None
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is not a month; use YYYY-MM")
    return found


def _currency(text: str) -> str:
    if not (len(text) == 3 and text.isascii() and text.isalpha()):  # noqa: PLR2004
        raise argparse.ArgumentTypeError(f"{text!r} is not a currency; use a code such as USD")
    return text.upper()


def _files(paths: Iterable[Path]) -> list[Path]:
    """Return the files, those of folders included. Raises InvoiceError for a folder without any."""
    found = []
    for path in paths:
        inside = sorted(path.glob("*.csv")) if path.is_dir() else [path]
        if not inside:
            raise InvoiceError(f"{path} is a folder without a .csv file")
        found += inside
    return found


def lines_of_all(paths: Iterable[Path], hints: Hints) -> list[Line]:
    """Return the lines of all files, each invoice once.

    Raises InvoiceError for what cannot be read, and for an invoice that differs between two files.
    """
    found: dict[str, tuple[Path, list[Line]]] = {}
    problems = []
    for path in paths:
        try:
            whole = lines_of(path.name, read(path), hints)
            _log(
                f"{path}: {len(whole.lines):,} lines; {whole.summary_rows:,} summary rows and "
                f"{whole.empty_rows:,} empty rows not counted"
            )
            for invoice_id, lines in _by_invoice(whole.lines).items():
                _keep(found, invoice_id, path, lines)
        except InvoiceError as error:
            problems += [f"{path}: {problem}" for problem in error.problems]
    if problems:
        raise InvoiceError(*problems)
    for invoice_id, (_, lines) in found.items():
        _log_sums(invoice_id, lines)
    return [line for _, lines in found.values() for line in lines]


def _by_invoice(lines: Iterable[Line]) -> dict[str, list[Line]]:
    found: dict[str, list[Line]] = {}
    for line in lines:
        found.setdefault(line.invoice_id, []).append(line)
    for invoice_id, mine in found.items():
        periods = sorted({(line.period_start, line.period_end) for line in mine})
        if len(periods) > 1:
            (first, last), (other, end), *_ = periods
            raise InvoiceError(
                f"invoice {invoice_id} has several periods, {first} to {last} and {other} to "
                f"{end}; use --month"
            )
    return found


def _keep(
    found: dict[str, tuple[Path, list[Line]]], invoice_id: str, path: Path, lines: list[Line]
) -> None:
    other, known = found.setdefault(invoice_id, (path, lines))
    if known is lines:
        return
    if Counter(known) != Counter(lines):
        raise InvoiceError(f"invoice {invoice_id} is also in {other}, with other lines")
    _log(f"{path}: invoice {invoice_id} is also in {other}, with the same lines; counted once")


def _log_sums(invoice_id: str, lines: Sequence[Line]) -> None:
    for currency in sorted({line.currency for line in lines}):
        sums: dict[str, Decimal] = {}
        for line in lines:
            if line.currency == currency:
                sums[line.kind] = sums.get(line.kind, ZERO) + line.amount
        kinds = ", ".join(f"{kind} {sums[kind]:,f}" for kind in KINDS if kind in sums)
        total = sum(sums.values(), ZERO)
        _log(
            f"invoice {invoice_id}, {lines[0].period_start} to {lines[0].period_end}: {kinds}; "
            f"total {total:,f} {currency}"
        )


def _write(lines: Iterable[Line], output: Path | None) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Line._fields)
    count = 0
    for line in lines:
        writer.writerow(f"{cell:f}" if isinstance(cell, Decimal) else cell for cell in line)
        count += 1
    if output is None:
        sys.stdout.write(text.getvalue())
        return
    partial = output.with_name(f"{output.name}.part")
    try:
        partial.write_text(text.getvalue(), encoding="utf-8")
        partial.replace(output)
    except OSError as error:
        raise InvoiceError(f"{output} cannot be written: {error.strerror}") from None
    _log(f"{count:,} lines written to {output}")


def _log(text: str) -> None:
    sys.stderr.write(f"invoice: {text}\n")


if __name__ == "__main__":
    main()
