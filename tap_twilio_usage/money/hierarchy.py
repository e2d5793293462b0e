"""The category table: where each of Twilio's usage categories belongs.

Twilio publishes no hierarchy. `data/categories.csv` was compiled from its documentation, its
former enum of categories, its Console and real accounts; `confidence` and `evidence` say how
sure each row is. Roles and levels follow from the other columns and are not stored.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from tap_twilio_usage.money.memoize import memoize

TOTAL = "totalprice"
UNKNOWN_SERVICE = "Other"
UNKNOWN_BILLING_KIND = "usage"


@dataclass(frozen=True)
class Category:
    """A row of the table.

    `parent` is the category whose price includes this one's. `also_included_in` is set for
    overlaps only: the categories of another family where the same money is counted.
    """

    category: str
    parent: str | None
    also_included_in: tuple[str, ...]
    service: str
    billing_kind: str
    confidence: str
    description: str | None


@memoize
def normalise(name: str) -> str:
    """Give the form in which category names are compared: Twilio's own case varies."""
    return name.strip().lower()


class Hierarchy:
    """Answers where a category belongs. All names given to it are normalised ones."""

    def __init__(self, categories: Iterable[Category]) -> None:
        """Take the table's rows; the last one of a name wins."""
        self.categories = {row.category: row for row in categories}
        self.overlaps = {name for name, row in self.categories.items() if row.also_included_in}

    def parent(self, name: str, reported: Iterable[str] = ()) -> str | None:
        """Return the category that contains this one; None for the total.

        The parent of an unknown category is inferred: the longest '-' prefix that is in the table
        or among the `reported` names, else the total.
        """
        row = self.categories.get(name)
        if row is not None:
            return row.parent
        prefix = name
        while "-" in prefix:
            prefix = prefix.rpartition("-")[0]
            if prefix in self.categories or prefix in reported:
                return prefix
        return None if name == TOTAL else TOTAL

    def level(self, name: str, reported: Iterable[str] = ()) -> int:
        """Return the number of steps from the total, which is 0."""
        level, path = 0, [name]
        while (parent := self.parent(path[-1], reported)) and parent not in path:
            path.append(parent)
            level += 1
        return level

    def containers(self, reported: Collection[str]) -> set[str | None]:
        """Return the categories that contain one of the table or one of the `reported` names."""
        known = {row.parent for row in self.categories.values()}
        return known | {self.parent(name, reported) for name in reported}

    def role(self, name: str, containers: Collection[str | None]) -> str:
        """Return `total`, `overlap`, `rollup` (it is one of the `containers`) or `leaf`."""
        if name == TOTAL:
            return "total"
        if name in self.overlaps:
            return "overlap"
        return "rollup" if name in containers else "leaf"

    def confidence(self, name: str) -> str:
        """Return how sure the place of the category is: high, medium, low or inferred."""
        row = self.categories.get(name)
        return row.confidence if row else "inferred"


@cache
def shipped() -> Hierarchy:
    """Give the table that ships with the tap."""
    text = files("tap_twilio_usage").joinpath("data/categories.csv").read_text("utf-8")
    return Hierarchy(
        Category(
            category=row["category"],
            parent=row["parent"] or None,
            also_included_in=tuple(row["also_included_in"].split()),
            service=row["service"],
            billing_kind=row["billing_kind"],
            confidence=row["confidence"],
            description=row["description"] or None,
        )
        for row in csv.DictReader(text.splitlines())
    )
