"""Draw the picture of rebilling.md from the month on that page, which a test checks.

`python -m docs.rebilling_picture` draws it anew, beside this file or in the folder that is named.
"""

from __future__ import annotations

import re
import sys
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from docs.pictures import COUNTED, FAINT, HERE, INNER, INSIDE, MARGIN, REMAINDER, WIDTH, Picture

COLOURS = {"plan": COUNTED, "overage": "#1a7f37", "usage": "#d4620f", "markup": REMAINDER}
MEANINGS = {
    "plan": "plan: its price, by days",
    "overage": "overage: beyond what the plan includes",
    "usage": "usage: Twilio's cost of what no plan includes",
    "markup": "markup: 15 % on it",
}


class Line(NamedTuple):
    """A line of the bill."""

    kind: str
    label: str
    amount: Decimal
    cost: Decimal


def lines() -> list[Line]:
    """Return the lines of the month on the page."""
    (table,) = re.findall(r"(?ms)^```text\n(.*?)^```$", (HERE / "rebilling.md").read_text())
    found = []
    for row in table.splitlines()[1:]:
        cells = re.split(r" {2,}", row)
        kind, plan = cells[:2]
        numbers = [Decimal(cell) for cell in cells if re.fullmatch(r"[\d.]+", cell)]
        item = "" if re.fullmatch(r"[\d.]+", cells[2]) else f" {cells[2]}"
        amount, *cost = numbers[2:]
        found.append(Line(kind, f"{kind}{item}, {plan}", amount, sum(cost, Decimal(0))))
    return found


def bill() -> str:
    """Draw each line where the one before it ends, and Twilio's cost of all of them below."""
    picture = Picture("One customer's month")
    bars = lines()
    whole = sum((line.amount for line in bars), Decimal(0))
    cost = sum((line.cost for line in bars), Decimal(0))
    scale = INNER / float(max(whole, cost))
    end: dict[str, str | int] = {"anchor": "end"}
    picture.line((WIDTH - MARGIN, "USD", {**end, "fill": FAINT, "size": 16}))
    before = Decimal(0)
    for line in bars:
        right = (WIDTH - MARGIN, f"{line.amount:.2f}", end)
        picture.line((MARGIN, line.label, {}), right, down=32)
        picture.parts.append(picture.bar(MARGIN, picture.y + 6, INNER, INSIDE))
        left = MARGIN + float(before) * scale
        colour = COLOURS[line.kind]
        picture.parts.append(picture.bar(left, picture.y + 6, float(line.amount) * scale, colour))
        picture.y += 22
        before += line.amount
    for label, amount in (("the customer pays", whole), ("Twilio charges for it", cost)):
        strong: dict[str, str | int] = {"weight": 600}
        right = (WIDTH - MARGIN, f"{amount:.2f}", {**end, **strong})
        picture.line((MARGIN, label, strong), right, down=32)
        picture.parts.append(picture.bar(MARGIN, picture.y + 6, float(amount) * scale, FAINT))
        picture.y += 22
    picture.key(*((COLOURS[kind], meaning) for kind, meaning in MEANINGS.items()))
    return picture.svg()


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    (folder / "rebilling.svg").write_text(bill(), "utf-8")
