"""Draw the pictures of finops.md from the sandbox's company, with the rules on that page.

`python -m docs.finops_pictures` draws them anew, beside this file or in the folder that is named.
"""

from __future__ import annotations

import csv
import re
import sys
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path

from docs.pictures import (
    COUNTED,
    FAINT,
    HERE,
    INNER,
    INSIDE,
    MARGIN,
    REMAINDER,
    WIDTH,
    WRONG,
    Picture,
)
from sandbox import Company
from tap_twilio_usage.money.hierarchy import normalise, shipped

MONTH, NEXT_MONTH = date(2026, 8, 1), date(2026, 9, 1)
UNALLOCATED = "Unallocated"
DEARER = "recordings"  # by two dollars a day, in the second month
END: dict[str, str | int] = {"anchor": "end"}
Sums = dict[str, Decimal]


def company() -> Company:
    """Return a company whose recordings become dearer."""
    found = Company(today=date(2026, 9, 30))
    for day in days(NEXT_MONTH):
        found.charge(day, DEARER, 2)
    return found


def days(month: date) -> list[date]:
    """Return the days of a month."""
    whole = (month + timedelta(days=n) for n in range(31))
    return [day for day in whole if day.month == month.month]


def owners(of: Company) -> Sums:
    """Return what each owner spends in the first month, by the rules on the page."""
    text = re.findall(r"(?ms)^```csv\n(.*?)^```$", (HERE / "finops.md").read_text())[0]
    rules = [*csv.DictReader(text.splitlines())]
    found: defaultdict[str, Decimal] = defaultdict(Decimal)
    for account in of.accounts():
        for day in days(MONTH):
            truth = of.truth(day, account.sid, include_subaccounts=False)
            for category, cost in truth.items():
                _share(rules, account.sid, category, cost, found)
    return dict(found)


def _share(
    rules: list[dict[str, str]], account: str, category: str, cost: Decimal, found: Sums
) -> None:
    known = shipped().categories.get(normalise(category))
    claims = [
        rule
        for rule in rules
        if rule["account_sid"] in {"", account}
        and rule["service"] in {"", known.service if known else "Other"}
        and fnmatchcase(category.lower(), rule["category"] or "*")
    ]
    claims.sort(key=lambda rule: (int(rule["priority"]), rule["rule_id"]))
    mine = [rule for rule in claims if rule["rule_id"] == claims[0]["rule_id"]]
    weights = [Decimal(rule["weight"] or 1) for rule in mine]
    for rule, weight in zip(mine, weights, strict=True):
        found[rule["owner"]] += cost * weight / sum(weights)
    if not mine:
        found[UNALLOCATED] += cost


def changes(of: Company) -> dict[str, tuple[Decimal, Decimal]]:
    """Return the largest changes of the second month: by volume and by price, as the model does."""
    sums = [
        {
            row.category: row
            for row in of.rows(days(month)[0], days(month)[-1])
            if row.category in {"sms-outbound-longcode", "calls-outbound", DEARER, "lookups"}
        }
        for month in (MONTH, NEXT_MONTH)
    ]
    found = {}
    for category, now in sums[1].items():
        before = sums[0][category]
        by_volume = (now.usage - before.usage) * before.price / before.usage
        found[category] = (by_volume, now.price - before.price - by_volume)
    return dict(sorted(found.items(), key=lambda item: -abs(item[1][0] + item[1][1])))


def bill() -> str:
    """Draw what each owner spends."""
    spent = sorted(owners(company()).items(), key=lambda item: -item[1])
    picture = Picture("What each owner spends in a month")
    picture.line((WIDTH - MARGIN, "USD", {**END, "fill": FAINT, "size": 16}))
    for owner, cost in spent:
        colour = FAINT if owner == UNALLOCATED else COUNTED
        right = (WIDTH - MARGIN, f"{cost:,.2f}", END)
        picture.line((MARGIN, owner, {}), right, down=32)
        width = float(cost / spent[0][1]) * INNER
        picture.parts.append(picture.bar(MARGIN, picture.y + 6, INNER, INSIDE))
        picture.parts.append(picture.bar(MARGIN, picture.y + 6, width, colour))
        picture.y += 22
    total: dict[str, str | int] = {"weight": 600}
    whole = sum(cost for _, cost in spent)
    right = (WIDTH - MARGIN, f"{whole:,.2f}", {**END, **total})
    picture.line((MARGIN, "Twilio's total", total), right, down=32)
    return picture.svg()


def causes() -> str:
    """Draw the changes in cost, divided into volume and price."""
    found = changes(company())
    picture = Picture("Why costs changed since the month before")
    picture.line((WIDTH - MARGIN, "USD", {**END, "fill": FAINT, "size": 16}))
    most = max(abs(volume) + abs(price) for volume, price in found.values())
    for category, (volume, price) in found.items():
        right = (WIDTH - MARGIN, f"{volume + price:+,.2f}", END)
        picture.line((MARGIN, category, {}), right, down=32)
        picture.parts.append(picture.bar(MARGIN, picture.y + 6, INNER, INSIDE))
        left = float(MARGIN)
        for part, colour in ((volume, REMAINDER), (price, WRONG)):
            width = float(abs(part) / most) * INNER
            picture.parts.append(picture.bar(left, picture.y + 6, width, colour))
            left += width
        picture.y += 22
    picture.key((REMAINDER, "volume: more or less was used"), (WRONG, "price: a unit costs more"))
    return picture.svg()


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    (folder / "owners.svg").write_text(bill(), "utf-8")
    (folder / "causes.svg").write_text(causes(), "utf-8")
