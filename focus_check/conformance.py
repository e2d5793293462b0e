"""`python -m focus_check conformance`: write docs/focus-conformance.md from `requirements`."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from focus_check.own import REQUIREMENTS

PAGE = Path(__file__).parents[1] / "docs" / "focus-conformance.md"
STATES = ("supported", "partly", "not", "n/a")
LEVELS = ("MUST", "SHOULD")
METADATA = {
    *("Metadata", "DataGenerator", "DatasetInstance", "Recency", "TimeSectors", "Schema"),
    "ColumnDefinition",
}


class Requirement(NamedTuple):
    """A requirement of the specification, and how the data meets it."""

    id: str
    level: str
    column: str
    kind: str
    state: str
    reason: str


def requirements(version: str) -> list[Requirement]:
    """Return the requirements of 1.2, those that 1.3 adds, or those of 1.4."""
    with (REQUIREMENTS / f"{version}.csv").open(newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        next(rows)
        return [Requirement(*row) for row in rows]


def of_validator(version: str) -> dict[str, str]:
    """Return the level of each requirement in the list that has an ID of the validator."""
    rows = requirements(version)
    return {row.id: row.level for row in rows if not row.id.startswith(f"{version}-")}


def added(levels: Mapping[str, str], version: str) -> dict[str, str]:
    """Return those of the validator's requirements that a version adds to 1.2.

    Those of contracts, which are a dataset of their own, are not counted.
    """
    known = set() if version == "1.2" else {*map(_number, of_validator("1.2"))}
    return {
        name: level
        for name, level in levels.items()
        if _number(name) not in known and not name.startswith("CCT-")
    }


def _number(name: str) -> str:
    """Return a validator's ID without the dataset and the last letter, which 1.3 changes."""
    return name.removeprefix("CAU-").rpartition("-")[0]


def score(rows: Iterable[Requirement]) -> float:
    """Return the percentage that is met: all that is supported and half of what is partly.

    What does not apply does not count. Microsoft's report on Azure's data computes it in this way.
    """
    numbers = Counter(row.state for row in rows)
    met = numbers["supported"] + numbers["partly"] / 2
    return 100 * met / (numbers["supported"] + numbers["partly"] + numbers["not"])


def without_metadata(rows: Iterable[Requirement]) -> list[Requirement]:
    """Return the requirements of the data, without those of the files that describe them."""
    return [row for row in rows if row.column.partition(".")[0] not in METADATA]


def page() -> str:
    """Return the page."""
    both = requirements("1.2") + requirements("1.3")
    latest = requirements("1.4")
    return "\n".join(
        [
            INTRODUCTION.format(
                score=score(both),
                latest=score(latest),
                data=score(without_metadata(both)),
                latest_data=score(without_metadata(latest)),
            ),
            *_table(both),
            "",
            "## What is missing, and why",
            "",
            "In FOCUS 1.2 and 1.3:",
            "",
            *_gaps(both),
            "",
            "## What does not apply",
            "",
            *_not_applicable(both),
            "",
            "## FOCUS 1.4",
            "",
            LATEST,
            "",
            *_table(latest),
            "",
            *_gaps(latest),
            "",
            "## Every requirement of 1.2 and 1.3",
            "",
            KINDS,
            "",
            *_all(both),
            "",
            "## Every requirement of 1.4",
            "",
            *_all(latest),
            "",
        ]
    )


def _table(rows: list[Requirement]) -> Iterator[str]:
    yield "| | supported | partly | not | does not apply |"
    yield "|---|---:|---:|---:|---:|"
    for level in LEVELS:
        numbers = Counter(row.state for row in rows if row.level == level)
        yield f"| {level} | {' | '.join(str(numbers[state]) for state in STATES)} |"


def _gaps(rows: list[Requirement]) -> Iterator[str]:
    yield "| reason | requirements |"
    yield "|---|---|"
    reasons: dict[str, list[str]] = {}
    for row in rows:
        if row.state in {"not", "partly"}:
            how = " (partly)" if row.state == "partly" else ""
            reasons.setdefault(row.reason, []).append(f"`{row.id}`{how}")
    for reason, ids in sorted(reasons.items(), key=lambda each: (-len(each[1]), each[0])):
        yield f"| {reason} | {', '.join(ids)} |"


def _not_applicable(rows: list[Requirement]) -> Iterator[str]:
    yield "| reason | number |"
    yield "|---|---:|"
    numbers = Counter(row.reason for row in rows if row.state == "n/a")
    for reason, number in sorted(numbers.items(), key=lambda each: (-each[1], each[0])):
        yield f"| {reason} | {number} |"


def _all(rows: list[Requirement]) -> Iterator[str]:
    yield "| column | supported | partly | not | does not apply |"
    yield "|---|---|---|---|---|"
    columns: dict[str, list[Requirement]] = {}
    for row in rows:
        columns.setdefault(row.column, []).append(row)
    for column, own in sorted(columns.items()):
        cells = ("<br>".join(map(_cell, _in(own, state))) for state in STATES)
        yield f"| {column} | {' | '.join(cells)} |"


def _in(rows: list[Requirement], state: str) -> list[Requirement]:
    return [row for row in rows if row.state == state]


def _cell(row: Requirement) -> str:
    mark = "" if row.level == "MUST" else "*"
    return f"`{row.id.replace(f'{row.column}-', '')}` {row.kind}{mark}"


INTRODUCTION = """\
# FOCUS conformance

This page says, requirement by requirement, what Twilio's data satisfies of [FOCUS](focus.md).
`.venv/bin/python -m focus_check conformance` writes it from the lists in
`focus_check/requirements`; a test compares them. Nobody has certified it.

**{score:.1f} %** of the requirements of FOCUS 1.2 and 1.3 that apply are met; {latest:.1f} % of
those of 1.4. Without those of the metadata, which are about the manifest of
[delivered files](focus.md#files) and the dbt model `focus_recency`, it is {data:.1f} % and
{latest_data:.1f} %. The percentage is computed as in Microsoft's conformance report on Azure's cost
data: what is supported, and half of what is partly supported, of all that applies. Unlike that
report, it leaves out what the specification only permits (MAY). MUST includes MUST NOT; SHOULD
includes SHOULD NOT and RECOMMENDED.

The requirements of 1.2, and those that 1.3 adds, are those of the official validator's models, with
its IDs, without those that only combine others; how the model of 1.3 was read is under
[Validator](focus.md#validator). Those of 1.3's metadata, which are not in the model, and those of
1.4 were written down, sentence by sentence, from the requirements model and the text in the
specification's repository, as far as copies of them were at hand; some may be of a late draft. They
have IDs of our own: the version and the number of the sentence. The specification is by the FinOps
Foundation, under [CC BY 4.0](https://creativecommons.org/licenses/by/4.0/); its wording is in its
[repository](https://github.com/FinOps-Open-Cost-and-Usage-Spec/FOCUS_Spec).
"""
LATEST = """\
With `focus_version: "1.4"`, and the dbt models. `ContractCommitment` counts once: nobody but Twilio
has the data, and the requirements of the columns of a dataset that is not there are not listed."""
KINDS = """\
Kinds: `present`, `type`, `format`, `null` (when a value is or is not null) and `value`. A * marks
SHOULD."""
