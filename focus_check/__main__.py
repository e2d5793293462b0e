"""`python -m focus_check`: fails if the validator reports a failure that not every file has."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from focus_check import sample, validator

ENVIRONMENT = Path(__file__).parents[1] / ".focus-validator"


def main() -> int:
    """Load, validate and print the result; print a line and skip if there is no suitable Python."""
    interpreter = validator.python()
    if interpreter is None:
        sys.stdout.write("focus_check: skipped: the validator needs Python 3.12 or 3.13\n")
        return 0
    with TemporaryDirectory() as folder:
        data = Path(folder) / "focus.parquet"
        sys.stdout.write(f"focus_check: {sample.write(data)}\n")
        found = validator.run(validator.install(ENVIRONMENT, interpreter), data)
    sys.stdout.write(
        f"focus_check: FOCUS {validator.VERSION}, {found.passed} rules passed, {found.skipped} "
        f"skipped; failed: {', '.join(sorted(found.failed)) or 'none'}\n"
    )
    if found.unexpected:
        sys.stdout.write(f"focus_check: unexpected: {', '.join(found.unexpected)}\n")
    return bool(found.unexpected)


if __name__ == "__main__":
    sys.exit(main())
