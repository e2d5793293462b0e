"""Draw the picture of invoice.md, from the sandbox's invoice of September 2025.

`python -m docs.invoice_picture` draws it anew, beside this file or in the folder that is named.
"""

from __future__ import annotations

import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

from docs.pictures import COUNTED, FAINT, INK, INNER, MARGIN, REMAINDER, WIDTH, WRONG, Picture
from sandbox import Company
from sandbox.invoice import invoice

FILE = "invoice.svg"
MONTH = date(2025, 9, 1)
START = 17000  # where the bars begin, so that small parts can be seen
PARTS = (
    ("late", "late: in Twilio's month, in none of its days"),
    ("not_in_api", "not_in_api: Flex licences"),
    ("rounding", "rounding of the lines to cents"),
    ("tax", "tax"),
    ("credit", "credit"),
)


def company() -> Company:
    """Return the sandbox's company, with a late fee."""
    return Company(today=date(2025, 10, 5), late_fees={MONTH: Decimal("312.345")})


def amounts() -> dict[str, Decimal]:
    """Return the cost of the usage, and each part of the difference to the invoice."""
    written = invoice(company(), MONTH)
    fee = company().late_fees[MONTH]
    found = {"usage": sum((line.reported for line in written.lines), Decimal(0))}
    for reason, _ in PARTS:
        mine = (line for line in written.lines if line.reason == reason)
        found[reason] = sum((line.amount - line.reported for line in mine), Decimal(0))
    found["rounding"] += found["late"] - fee
    found["late"] = fee
    return found


def waterfall() -> str:
    """Draw what leads from the usage to the invoice's total."""
    found = amounts()
    total = sum(found.values(), Decimal(0))
    most = total + max(-found["credit"], Decimal(0))
    scale = INNER / float(most - START)
    picture = Picture("From usage to an invoice")
    end: dict[str, str | int] = {"anchor": "end"}
    strong: dict[str, str | int] = {"weight": 600}

    def step(words: str, amount: Decimal, start: Decimal, colour: str, *, bold: bool) -> None:
        weight = strong if bold else {}
        written = f"{amount.normalize():{'' if bold else '+'},f}"
        picture.line((MARGIN, words, weight), (WIDTH - MARGIN, written, {**end, **weight}), down=32)
        picture.y += 22
        left = MARGIN + float(min(start, start + amount) - START) * scale
        width = float(abs(amount)) * scale
        if bold:
            left, width = MARGIN, float(amount - START) * scale
        picture.parts.append(picture.bar(left, picture.y - 16, width, colour))

    step("usage: the days in the Usage API", found["usage"], Decimal(0), COUNTED, bold=True)
    reached = found["usage"]
    for reason, words in PARTS:
        colour = WRONG if found[reason] < 0 else REMAINDER
        step(words, found[reason], reached, colour, bold=False)
        reached += found[reason]
    step("the invoice's total", total, Decimal(0), INK, bold=True)
    note: dict[str, str | int] = {"fill": FAINT, "size": 16}
    picture.line(
        (MARGIN, f"The sandbox, September 2025, in USD. The bars begin at {START:,}.", note)
    )
    return picture.svg()


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    (folder / FILE).write_text(waterfall(), "utf-8")
