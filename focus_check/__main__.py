"""`python -m focus_check`: fails if a check of FOCUS fails that has no reason to.

It loads a year of three sandbox accounts, and runs the official validator for 1.2, and own checks
for 1.3 and 1.4, of which the validator has no model. It also runs the queries of FOCUS's use case
library. `conformance` writes the page of requirements.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from focus_check import conformance, own, sample, use_cases, validator
from tap_twilio_usage.focus.columns import DEFAULT, NEXT

ENVIRONMENT = Path(__file__).parents[1] / ".focus-validator"
FIRST_OF_NEXT = date(2025, 8, 1)  # fewer days are enough for the same checks


def main(arguments: Sequence[str]) -> int:
    """Run the checks, or write the page; return the exit code."""
    if [*arguments] == ["conformance"]:
        conformance.PAGE.write_text(conformance.page(), "utf-8")
        return 0
    if arguments:
        _say(f"{arguments[0]} is not a command; use conformance, or nothing")
        return 2
    with TemporaryDirectory() as folder:
        data, later = Path(folder) / "focus.parquet", Path(folder) / "next.parquet"
        _say(sample.write(data, DEFAULT))
        sample.write(later, NEXT, FIRST_OF_NEXT)
        checked = [_checked(data, DEFAULT), _checked(later, NEXT)]
        interpreter = validator.python()
        if interpreter is None:
            _say("the validator and the queries were skipped: they need Python 3.12 or 3.13")
            return max(checked)
        executable = validator.install(ENVIRONMENT, interpreter)
        queried = [_queried(executable, data, DEFAULT), _queried(executable, later, NEXT)]
        _tell(executable, data, DEFAULT)
        _tell(executable, later, NEXT)
        return max([_validated(executable, data), *checked, *queried])


def _tell(executable: Path, data: Path, version: str) -> None:
    """Print what the validator finds by its model of a later version, which has no allow-list."""
    try:
        outcome = _outcome(validator.run(executable, data, version))
    except SystemExit as error:
        outcome = f"{error}".removeprefix("focus_check: ")
    _say(f"FOCUS {version}, not judged: {outcome}")


def _validated(executable: Path, data: Path) -> int:
    listed = {row.id: row.level for row in conformance.requirements(validator.VERSION)}
    if listed != validator.levels(executable):
        _say(f"requirements/{validator.VERSION}.csv does not have the validator's requirements")
        return 1
    found = validator.run(executable, data)
    _say(f"FOCUS {validator.VERSION}, {_outcome(found)}")
    return _unexpected(found.unexpected)


def _outcome(found: validator.Verdict) -> str:
    return (
        f"{found.passed} rules of the validator passed, {found.skipped} skipped; "
        f"failed: {', '.join(sorted(found.failed)) or 'none'}"
    )


def _checked(data: Path, version: str) -> int:
    with duckdb.connect() as connection:
        found = own.check(connection, f"'{data}'", version)
    _say(
        f"FOCUS {version}, {found.passed} own checks passed; "
        f"failed: {', '.join(sorted(found.failed)) or 'none'}"
    )
    return _unexpected(found.unexpected)


def _queried(executable: Path, data: Path, version: str) -> int:
    with duckdb.connect() as connection:
        found = use_cases.run(validator.site_of(executable), connection, f"'{data}'", version)
    total = len(found.rows) + len(found.lacking) + len(found.failed)
    rows = ", ".join(f"{name} {number}" for name, number in found.rows.items())
    _say(f"FOCUS {version}, {len(found.rows)} of {total} queries ran, and returned rows: {rows}")
    lacking = ", ".join(f"{name} ({column})" for name, column in found.lacking.items())
    _say(f"FOCUS {version}, queries that need columns of others: {lacking}")
    return (
        _unexpected([f"{name}: {error}" for name, error in found.failed.items()]) or not found.rows
    )


def _unexpected(names: list[str]) -> int:
    if names:
        _say(f"unexpected: {', '.join(names)}")
    return bool(names)


def _say(line: str) -> None:
    sys.stdout.write(f"focus_check: {line}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
