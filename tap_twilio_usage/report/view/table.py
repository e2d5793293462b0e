"""Tables: the page shows them, and each can be written as CSV with its exact numbers."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from tap_twilio_usage.report import wording
from tap_twilio_usage.report.figures.sums import ZERO

TEXT, SID, DAY, MONTH, COUNT = "text", "sid", "day", "month", "count"
MONEY, CHANGE, PRICE, SHARE, GROWTH = "money", "change", "price", "share", "growth"


class Column(NamedTuple):
    """A column: its heading, what its values are, and its heading in a CSV if that is another.

    A share is a part and its whole, and has a bar; growth is a change and what was before.
    """

    name: str
    kind: str = MONEY
    plain: str = ""

    @classmethod
    def of(cls, month: date, kind: str = MONEY) -> Column:
        """Return the column of a month."""
        return cls(f"{month:%b %y}", kind, f"{month:%Y-%m}")


class Cell(NamedTuple):
    """What is shown, the exact value if that is another, and the width of a bar in percent."""

    text: str
    exact: str = ""
    bar: float | None = None


@dataclass(frozen=True)
class Table:
    """Rows of values. If not all are shown, `rest` is the row of the others."""

    key: str
    title: str
    unit: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    foot: Sequence[Any] | None = None
    shown: int | None = None
    rest: Sequence[Any] | None = None
    bad: frozenset[int] = frozenset()  # the rows that say what is wrong

    def with_last(self, name: str) -> Table:
        """Return the table with a column moved to its end."""
        at = next(at for at, column in enumerate(self.columns) if column.name == name)

        def moved(row: Sequence[Any]) -> list[Any]:
            return [*row[:at], *row[at + 1 :], row[at]]

        return replace(
            self,
            columns=moved(self.columns),
            rows=[moved(row) for row in self.rows],
            foot=None if self.foot is None else moved(self.foot),
            rest=None if self.rest is None else moved(self.rest),
        )

    @property
    def body(self) -> list[list[Cell]]:
        """The rows that the page shows."""
        rows = list(self.rows[: self.shown])
        if self.rest is not None and len(rows) < len(self.rows):
            rows.append(self.rest)
        return [self._cells(row) for row in rows]

    @property
    def last(self) -> list[Cell] | None:
        """The row of sums."""
        return None if self.foot is None else self._cells(self.foot)

    def _cells(self, row: Sequence[Any]) -> list[Cell]:
        pairs = zip(self.columns, row, strict=True)
        return [_cell(value, column.kind, self.unit) for column, value in pairs]

    def csv(self) -> str:
        """Return all rows as CSV, exact."""
        file = io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(column.plain or column.name for column in self.columns)
        for row in self.rows:
            writer.writerow(
                _plain(value, column.kind) for column, value in zip(self.columns, row, strict=True)
            )
        return file.getvalue()


def _cell(value: Any, kind: str, unit: str) -> Cell:  # noqa: PLR0911
    if value is None or isinstance(value, str):
        return Cell(value or "")
    match kind:
        case "money":
            return Cell(wording.money(value, unit), wording.exact(value))
        case "change":
            return Cell(wording.money(value, unit, signed=True), wording.exact(value))
        case "price":
            return Cell(wording.unit_cost(value, unit), wording.exact(value))
        case "growth":
            return Cell(wording.percent(*value, signed=True))
        case "share":
            part, whole = value
            width = float(part / whole) * 100 if whole and whole > 0 else 0.0
            return Cell(wording.percent(part, whole), bar=round(min(100.0, max(0.0, width)), 1))
        case "day":
            return Cell(wording.short_day(value), f"{value}")
        case "month":
            return Cell(f"{value:%b %Y}", f"{value:%Y-%m}")
        case "count":
            return Cell(f"{value:,}", f"{value}")
    return Cell(f"{value}")


def _plain(value: Any, kind: str) -> str:
    if value is None:
        return ""
    if kind in (SHARE, GROWTH):
        part, whole = value
        return f"{100 * part / whole:.2f}" if whole and whole > 0 else ""
    if isinstance(value, Decimal):
        return wording.exact(value)
    if kind == MONTH and isinstance(value, date):
        return f"{value:%Y-%m}"
    # A cell that a spreadsheet would take for a formula is text.
    text = f"{value}"
    return f"'{text}" if isinstance(value, str) and text[:1] in ("=", "+", "-", "@") else text


def by_month(
    name_title_unit: tuple[str, str, str],
    heads: Sequence[Column],
    months: Sequence[date],
    costs: dict[tuple[Any, ...], dict[date, Decimal]],
    shown: int | None = None,
) -> Table:
    """Return a table with a column for each month, the largest sum first."""
    wholes = {name: sum(sums.values(), ZERO) for name, sums in costs.items()}
    names = sorted((n for n in costs if any(costs[n].values())), key=lambda n: (-wholes[n], n))
    whole = sum(wholes.values(), ZERO)

    def row(name: tuple[Any, ...], of: list[tuple[Any, ...]]) -> list[Any]:
        sums = [sum((costs[each].get(month, ZERO) for each in of), ZERO) for month in months]
        mine = sum(sums, ZERO)
        return [*name, *sums, mine, (mine, whole)]

    blanks = [None] * (len(heads) - 1)
    others = names[shown:] if shown else []
    return Table(
        *name_title_unit,
        [*heads, *map(Column.of, months), Column("Sum"), Column("Share", SHARE)],
        [row(name, [name]) for name in names],
        [*row(("All", *blanks), names)[:-1], None],
        shown,
        row((f"{len(others)} others", *blanks), others) if others else None,
    )
