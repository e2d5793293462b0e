"""A CSV file as rows: its encoding, its separator and its header."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tap_twilio_usage.invoice.columns import columns_of, missing
from tap_twilio_usage.invoice.errors import InvoiceError

SEPARATORS = ",;\t|"
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Row(NamedTuple):
    """A row with its number, as a spreadsheet counts."""

    number: int
    cells: list[str]


class Table(NamedTuple):
    """The rows below the header, without the empty ones."""

    header: list[str]
    columns: dict[str, int]
    rows: list[Row]
    empty_rows: int


def read(path: Path) -> Table:
    """Read a file. Raises InvoiceError."""
    text = decoded(path)
    separator = max(SEPARATORS, key=lambda each: _known_columns(text, each))  # else the comma
    rows = _rows(text, separator)
    header = _header(rows)
    columns = columns_of(header)
    lacking = missing(columns)
    if lacking:
        names = ", ".join(repr(name) for name in header) or "none"
        raise InvoiceError(f"no column {' and no column '.join(lacking)}; the columns are {names}")
    below, empty = [], 0
    for number, cells in rows:
        if not any(cells):
            empty += 1
        elif any(cells[len(header) :]):
            raise InvoiceError(f"row {number} has {len(cells)} cells, the header {len(header)}")
        else:
            padded = cells[: len(header)] + [""] * (len(header) - len(cells))
            below.append(Row(number, padded))
    if not below:
        raise InvoiceError("no rows below the header")
    return Table(header, columns, below, empty)


def decoded(path: Path) -> str:
    """Return the text of a file in UTF-8, or in UTF-16 with its byte order mark."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvoiceError(f"cannot be read: {error.strerror}") from None
    encoding = "utf-16" if content.startswith(UTF_16) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise InvoiceError("is not a text file in UTF-8 or UTF-16; save it as CSV (UTF-8)")
    return text


def _known_columns(text: str, separator: str) -> int:
    try:
        return len(columns_of(_header(_rows(text, separator))))
    except InvoiceError:
        return 0


def _header(rows: Iterator[Row]) -> list[str]:
    """Return the first row that is neither empty nor a line for spreadsheets, such as sep=;."""
    for _, cells in rows:
        if any(cells) and not cells[0].lower().startswith("sep="):
            return cells
    return []


def _rows(text: str, separator: str) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    number = 0
    while True:
        number += 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise InvoiceError(f"row {number} is not valid CSV: {error}") from None
        yield Row(number, [cell.strip() for cell in cells])
