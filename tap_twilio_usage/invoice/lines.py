"""The lines of invoices: what each row says."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import NamedTuple, TypeVar

from tap_twilio_usage.invoice import amounts, dates
from tap_twilio_usage.invoice.columns import currency_of, letters
from tap_twilio_usage.invoice.dates import Period
from tap_twilio_usage.invoice.errors import InvoiceError
from tap_twilio_usage.invoice.line import Entry, Line
from tap_twilio_usage.invoice.summaries import is_a_total, is_combined, without_summaries
from tap_twilio_usage.invoice.table import Row, Table
from tap_twilio_usage.money.parsers import canonical_sid

# As Twilio names the files: account, month, number of the invoice.
FILE_NAME = re.compile(r"(AC[0-9a-fA-F]{32})-([12]\d{3}-\d{2})-(IV[^.\s]*)")
CATEGORIES = {
    **dict.fromkeys(("usage", "service", "services", "product", "products"), "usage"),
    **dict.fromkeys(("tax", "taxes", "taxesfees", "taxesandfees"), "tax"),
    **dict.fromkeys(("credit", "credits", "promo", "promos", "promotion", "promotions"), "credit"),
    **dict.fromkeys(("discount", "discounts", "refund", "refunds"), "credit"),
    **dict.fromkeys(("fee", "fees"), "fee"),
}
WORDS = {
    "tax": re.compile(r"\b(tax(es)?|vat|gst|hst|pst|qst|jct|universal service)\b", re.IGNORECASE),
    "credit": re.compile(
        r"\b(credits?|promos?|promotion(s|al)?|discounts?|refunds?)\b", re.IGNORECASE
    ),
    "fee": re.compile(
        r"\b(late (payment )?fees?|finance charges?|minimum (spend|commitment))\b", re.IGNORECASE
    ),
}
T = TypeVar("T")


class Hints(NamedTuple):
    """What the user says of files that do not say it themselves."""

    invoice_id: str | None = None
    period: Period | None = None
    currency: str | None = None
    decimal: str | None = None
    dates: str | None = None


class Read(NamedTuple):
    """What a file has: lines, and the rows that only add them up."""

    lines: list[Line]
    summary_rows: int
    empty_rows: int


def lines_of(name: str, table: Table, hints: Hints) -> Read:
    """Return the lines of a file. Raises InvoiceError with a problem for each row that has one."""
    reader = _Reader(name, table, hints)
    entries, problems = [], {}
    for row in table.rows:
        try:
            entries.append(reader.entry(row))
        except _NotInFile as error:
            raise InvoiceError(str(error)) from None
        except ValueError as error:
            problems[row.number] = str(error)
    if problems:
        raise InvoiceError(*(f"row {row}: {why}" for row, why in problems.items()))
    by_invoice: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        by_invoice[entry.line.invoice_id, entry.line.currency].append(entry)
    lines: list[Line] = []
    for each in by_invoice.values():
        lines += without_summaries(each)
    return Read(lines, len(entries) - len(lines), table.empty_rows)


class _NotInFile(ValueError):
    """What no row of the file can say."""


class _Reader:
    """Reads the rows of one file, in the formats that all of them together show."""

    def __init__(self, name: str, table: Table, hints: Hints) -> None:
        self.table = table
        self.hints = hints
        self.named = FILE_NAME.match(name)
        self.above: Line | None = None  # a total may say nothing but its amount
        header = table.header[table.columns["amount"]]
        self.currency = hints.currency or currency_of(header)
        numbers = (self._cell(row, each) for row in table.rows for each in ("amount", "quantity"))
        self.sign = hints.decimal or _of_all(amounts.common_sign, numbers)
        days = ("period_start", "period_end", "period")
        written = (self._cell(row, each) for row in table.rows for each in days)
        self.order = hints.dates or _of_all(dates.common_order, written)

    def entry(self, row: Row) -> Entry:
        """Return what a row says. Raises ValueError, with a reason that follows its number."""
        amount, code = self._number(row, "amount")
        if amount is None:
            raise ValueError("no amount")
        account, group, item = (self._cell(row, each) for each in ("account", "item_group", "item"))
        is_total = is_a_total(account, group, item)
        if not (group or item or is_total):
            raise ValueError("no item_group and no item")
        above = self.above if is_total else None
        first, last = self._period(row, above)
        line = Line(
            invoice_id=self._invoice_id(row, above),
            period_start=first,
            period_end=last,
            account_sid=self._account_sid(account),
            item_group=group,
            item=item,
            quantity=self._number(row, "quantity")[0],
            amount=amount,
            currency=self._currency(row, code, above),
            kind=kind_of(self._cell(row, "kind"), group, item),
            raw=self._raw(row),
        )
        self.above = line
        return Entry(row.number, line, account)

    def _cell(self, row: Row, column: str) -> str:
        place = self.table.columns.get(column)
        return "" if place is None else row.cells[place]

    def _account_sid(self, account: str) -> str:
        # What belongs to no account is of the whole invoice, which is the named account's.
        if is_combined(account) or not account:
            account = self.named[1] if self.named else ""
        return canonical_sid(account)

    def _number(self, row: Row, column: str) -> tuple[Decimal | None, str | None]:
        text = self._cell(row, column)
        if not text:
            return None, None
        try:
            return amounts.amount(text, self.sign)
        except ValueError as error:
            raise ValueError(f"{column} {text!r} {error}") from None

    def _currency(self, row: Row, written: str | None, above: Line | None) -> str:
        codes = {self._cell(row, "currency").upper(), written or ""} - {""}
        if len(codes) > 1:
            raise ValueError(f"two currencies, {' and '.join(sorted(codes))}")
        code = next(iter(codes), None) or self.currency or (above.currency if above else None)
        if not code:
            raise self._lacks("currency", "; use --currency USD")
        return code

    def _invoice_id(self, row: Row, above: Line | None) -> str:
        found = self.hints.invoice_id or self._cell(row, "invoice_id")
        found = found or (self.named[3] if self.named else above.invoice_id if above else "")
        if not found:
            other = ", and the file's name has none (ACCOUNT-YYYY-MM-IV...); use --invoice-id"
            raise self._lacks("invoice_id", other)
        return found

    def _period(self, row: Row, above: Line | None) -> Period:
        if self.hints.period:
            return self.hints.period
        texts = [self._cell(row, each) for each in ("period_start", "period_end")]
        if all(texts):
            found = Period(*(_named(dates.day, text, self.order) for text in texts))
        elif any(texts):
            raise ValueError(f"no {'period_end' if texts[0] else 'period_start'}; use --month")
        elif whole := self._cell(row, "period"):
            found = _named(dates.period, whole, self.order)
        elif self.named:
            found = dates.period(self.named[2], None)
        elif above:
            found = Period(above.period_start, above.period_end)
        else:
            other = ", and the file's name has no month (ACCOUNT-YYYY-MM-IV...); use --month"
            raise self._lacks("period", other)
        if found.first > found.last:
            raise ValueError(f"the period begins on {found.first}, after its end, {found.last}")
        return found

    def _lacks(self, column: str, other: str) -> ValueError:
        if column in self.table.columns:
            return ValueError(f"no {column}{other}")
        return _NotInFile(f"no column {column}{other}")

    def _raw(self, row: Row) -> str:
        known = set(self.table.columns.values())
        others: dict[str, str] = {}
        for place, name in enumerate(self.table.header):
            if place not in known and row.cells[place]:
                others[f"{name} ({place + 1})" if name in others else name] = row.cells[place]
        return json.dumps(others, ensure_ascii=False) if others else ""


def kind_of(category: str, group: str, item: str) -> str:
    """Return the kind of a line: by its category if known, else by the words of its names."""
    known = CATEGORIES.get(letters(category))
    if known:
        return known
    for text in (category, group, item):
        for kind, words in WORDS.items():
            if words.search(text):
                return kind
    return "usage"


def _of_all(find: Callable[[Iterable[str]], str | None], texts: Iterable[str]) -> str | None:
    try:
        return find(texts)
    except ValueError as error:
        raise InvoiceError(f"{error}; a file has one format") from None


def _named(read: Callable[[str, str | None], T], text: str, order: str | None) -> T:
    try:
        return read(text, order)
    except ValueError as error:
        raise ValueError(f"date {text!r} {error}") from None
