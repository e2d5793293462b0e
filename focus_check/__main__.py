"""`python -m focus_check`: fails if a check of FOCUS fails that has no reason to.

It loads a year of three sandbox accounts, and runs the official validator, which downloads its
models of 1.3 and 1.4 from GitHub, and own checks of both. It also runs the queries of FOCUS's use
case library. `conformance` writes the page of requirements.
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
        versions = {validator.PACKAGED: data, DEFAULT: data, NEXT: later}
        validated = [_validated(executable, path, name) for name, path in versions.items()]
        return max(*validated, *checked, *queried)


def _validated(executable: Path, data: Path, version: str) -> int:
    try:
        found = validator.run(executable, data, version)
    except validator.UnavailableError as error:
        _say(f"FOCUS {version}, not validated: {error}")
        return 0
    _say(f"FOCUS {version}, {_outcome(found)}")
    return _listed(executable, version) or _unexpected(found.unexpected(version))


def _listed(executable: Path, version: str) -> int:
    """Say if the lists do not have the validator's requirements."""
    listed = conformance.of_validator(version)
    if listed and listed != conformance.added(validator.levels(executable, version), version):
        _say(f"requirements/{version}.csv does not have the validator's requirements")
        return 1
    return 0


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
