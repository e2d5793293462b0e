"""A line of an invoice."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import NamedTuple

KINDS = ("usage", "tax", "credit", "fee")


class Line(NamedTuple):
    """A line of an invoice; its fields are the columns of `invoice_lines`."""

    invoice_id: str
    period_start: date
    period_end: date
    account_sid: str
    item_group: str
    item: str
    quantity: Decimal | None
    amount: Decimal
    currency: str
    kind: str
    raw: str


class Entry(NamedTuple):
    """A line with the number of its row, and the account as it is written there."""

    row: int
    line: Line
    account: str
