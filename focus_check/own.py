"""Own checks of a dataset, for the versions of FOCUS whose model the validator has to download.

They are made from the lists in `requirements`: the columns with their level, type and values, and
conditions that each row has to meet. Both are taken from the specification of the version.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import duckdb

REQUIREMENTS = Path(__file__).with_name("requirements")
UNIT_PRICE = "Twilio's usage records have no unit price"
IN_DETAIL = "null where only a part of the price counts: more detailed rows have the quantity"
# These fail whatever the tap does, with the reason.
ALLOWED = {
    "ContractedUnitPrice-1": UNIT_PRICE,
    "ListUnitPrice-1": UNIT_PRICE,
    "PricingCurrencyContractedUnitPrice-1": UNIT_PRICE,
    "PricingCurrencyListUnitPrice-1": UNIT_PRICE,
    "ConsumedQuantity-2": IN_DETAIL,
    "PricingQuantity-1": IN_DETAIL,
    "PaymentTerms-null": "the file of an invoice has none; a variable may say them",
}
TYPES = {
    "decimal": ("DECIMAL",),
    "json": ("VARCHAR", "JSON"),
    "moment": ("TIMESTAMP",),
    "text": ("VARCHAR",),
}
FORMATS = {
    "currency": "regexp_full_match({column}, '[A-Z]{{3}}')",
    "unit": "regexp_full_match({column}, '([A-Z][a-z]+-)*([A-Z][a-z]*s|[KMGT]B|[A-Z]{{3}})')",
    "not negative": "{column} >= 0",
    "json": "json_valid({column}) AND json_type({column}) = 'OBJECT'",
}


class Column(NamedTuple):
    """A column of a dataset, as `columns.csv` describes it."""

    dataset: str
    name: str
    since: str
    until: str
    level: str
    nulls: str
    type: str
    format: str
    values: str


class Checked(NamedTuple):
    """The number of checks that passed, and those that failed."""

    passed: int
    failed: frozenset[str]

    @property
    def unexpected(self) -> list[str]:
        """The failed checks that have no reason."""
        return sorted(self.failed - ALLOWED.keys())


def columns(dataset: str, version: str) -> list[Column]:
    """Return the columns of a dataset in a version."""
    return [
        each
        for each in (Column(*row) for row in _rows("columns"))
        if each.dataset == dataset
        and each.since <= version
        and not (each.until and version >= each.until)
    ]


def check(
    connection: duckdb.DuckDBPyConnection, table: str, version: str, dataset: str = "CostAndUsage"
) -> Checked:
    """Check a table, view or file that DuckDB reads."""
    found = dict(zip(*_described(connection, table), strict=True))
    outcomes: dict[str, bool] = {}
    conditions: dict[str, str] = {}
    wanted = columns(dataset, version)
    for each in wanted:
        if each.name not in found:
            if each.level == "mandatory":
                outcomes[f"{each.name}-present"] = False
            continue
        outcomes[f"{each.name}-present"] = True
        outcomes[f"{each.name}-type"] = found[each.name].startswith(TYPES[each.type])
        conditions |= dict(_conditions(each))
    known = {each.name for each in wanted}
    outcomes["custom columns begin with x_"] = all(
        name in known or name.startswith("x_") for name in found
    )
    for rule, since, of, sql in _rows("rules"):
        if since <= version and {*of.split()} <= found.keys() and {*of.split()} <= known:
            conditions[rule] = sql
    failed = _failures(connection, table, conditions)
    outcomes |= {name: name not in failed for name in conditions}
    return Checked(
        sum(outcomes.values()), frozenset(name for name, is_met in outcomes.items() if not is_met)
    )


def _conditions(each: Column) -> Iterator[tuple[str, str]]:
    """Yield what must hold for the values of a column."""
    if each.nulls == "no":
        yield f"{each.name}-null", f"{each.name} IS NOT NULL"
    if each.values:
        allowed = ", ".join(f"'{value}'" for value in each.values.split("|"))
        yield f"{each.name}-values", f"{each.name} IN ({allowed})"
    for form in filter(None, (each.format, each.type if each.type == "json" else "")):
        yield f"{each.name}-format", FORMATS[form].format(column=each.name)
    if each.type == "text":
        yield f"{each.name}-text", f"trim({each.name}) <> ''"


def _failures(
    connection: duckdb.DuckDBPyConnection, table: str, conditions: dict[str, str]
) -> set[str]:
    """Return the conditions that are false for a row; null is not false."""
    written = ", ".join(f'{sql} AS "{name}"' for name, sql in conditions.items())
    counted = ", ".join(f'count(*) FILTER (NOT "{name}")' for name in conditions)
    (row,) = connection.execute(
        f"SELECT {counted} FROM (SELECT {written} FROM {table})"  # noqa: S608
    ).fetchall()
    return {name for name, number in zip(conditions, row, strict=True) if number}


def _described(connection: duckdb.DuckDBPyConnection, table: str) -> tuple[list[str], list[str]]:
    rows = connection.execute(f"DESCRIBE SELECT * FROM {table}").fetchall()  # noqa: S608
    return [row[0] for row in rows], [row[1] for row in rows]


def _rows(name: str) -> Iterator[list[str]]:
    with (REQUIREMENTS / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        next(rows)
        yield from rows
