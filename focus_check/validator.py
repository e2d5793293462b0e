"""The FinOps Foundation's `focus-validator`: its installation, an offline run, and its results.

The queries of the use case library are installed beside it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from focus_check.use_cases import PACKAGE

REQUIREMENTS = ("focus-validator==2.2.1", "pyarrow<26")
PYTHONS = (3, 12), (3, 14)  # from the first, up to but not including the second
LEAST_PASSED = 270  # for a complete FOCUS file; fewer means that the output is truncated
VERSION = "1.2"
CRITERIA = (
    "ACCOUNT_NAMING",
    "USAGE_MEASUREMENT",
    "SUB_ACCOUNT",
    "UNIT_PRICING",
    "NEGOTIATED_PRICING",
    "PUBLIC_PRICE_LIST",
    "MULTIPLE_PRICING_CATEGORIES",
    "MULTIPLE_BILLING_ACCOUNT_TYPES",
    "MULTIPLE_SUB_ACCOUNT_TYPES",
    "REGION",
    "PRICING_BILLING_CURRENCY_DIFFERENCES",
)
# These fail for every file, with the reason.
ALLOWED = {
    "InvoiceId-C-005-C": "one of its two branches fails for every file",
    "EffectiveCost-C-005-C": "it treats every purchase as one that covers future charges",
}
RESULT = re.compile(r"^\S+ (\S+): (PASS|FAIL|SKIPPED)\b", re.MULTILINE)


class Verdict(NamedTuple):
    """The number of passed and skipped rules, and the failed rules without composite ones."""

    passed: int
    skipped: int
    failed: frozenset[str]

    @property
    def unexpected(self) -> list[str]:
        """The failed rules that are not expected for every file."""
        return sorted(self.failed - ALLOWED.keys())


def python() -> str | None:
    """Return a Python that can run the validator; None if there is none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    by_pyenv = sorted((pyenv / "versions").glob("3.1[23].*/bin/python"))
    candidates = [sys.executable, "python3.12", "python3.13", *map(str, by_pyenv)]
    return next(filter(_is_fit, candidates), None)


def install(folder: Path, interpreter: str) -> Path:
    """Install the validator into an environment in the folder, and return its Python."""
    executable = folder / "bin" / "python"
    complete, wanted = folder / "complete", "\n".join([*REQUIREMENTS, PACKAGE])
    if not complete.exists() or complete.read_text("utf-8") != wanted:
        for command in (
            (interpreter, "-m", "venv", "--clear", folder),
            (executable, "-m", "pip", "install", "--quiet", *REQUIREMENTS),
            (executable, "-m", "pip", "install", "--quiet", "--no-deps", PACKAGE),
        ):
            if subprocess.run(command, check=False).returncode:  # noqa: S603
                raise SystemExit(f"focus_check: {command[-1]} cannot be installed here")
        complete.write_text(wanted, "utf-8")
    return executable


def run(executable: Path, data: Path, version: str = VERSION) -> Verdict:
    """Return the validator's verdict on the file; raise SystemExit if it did not finish.

    The validator downloads its model of another version than VERSION from GitHub.
    """
    site = site_of(executable)
    command = [
        *(f"{executable}", "-m", "focus_validator.main", "--data-file", f"{data.resolve()}"),
        *("--validate-version", version, *(["--block-download"] if version == VERSION else [])),
        *("--applicability-criteria", ",".join(f"{name}_SUPPORTED" for name in CRITERIA)),
    ]
    # The validator opens its list of currencies relative to the current folder.
    done = subprocess.run(command, cwd=site, capture_output=True, text=True, check=False)  # noqa: S603
    if not [*_models(site, version)]:
        raise SystemExit("focus_check: the validator could not download its model from GitHub")
    found = verdict(done.stdout, _composites(site, version))
    if done.returncode or found.passed < LEAST_PASSED:
        raise SystemExit(
            f"focus_check: {found.passed} rules passed, exit code {done.returncode}: the validator "
            f"did not finish\n{done.stderr[-2000:]}"
        )
    return found


def verdict(output: str, composites: Container[str]) -> Verdict:
    """Return the verdict in the output: the exit code is 0 whatever the validator finds."""
    results = RESULT.findall(output)
    outcomes = Counter(outcome for _, outcome in results)
    failed = (rule for rule, outcome in results if outcome == "FAIL" and rule not in composites)
    return Verdict(outcomes["PASS"], outcomes["SKIPPED"], frozenset(failed))


def levels(executable: Path) -> dict[str, str]:
    """Return the level of each rule that the validator has, without what is only permitted."""
    found = {}
    for name, rule in _rules(site_of(executable)).items():
        keyword = rule["ValidationCriteria"]["Keyword"]
        if rule["Function"] != "Composite" and keyword != "MAY":
            found[name] = "MUST" if keyword.startswith("MUST") else "SHOULD"
    return found


def _composites(site: Path, version: str) -> set[str]:
    """Return the composite rules, which only combine others."""
    return {name for name, rule in _rules(site, version).items() if rule["Function"] == "Composite"}


def _rules(site: Path, version: str = VERSION) -> dict[str, Any]:
    (model,) = _models(site, version)
    found: dict[str, Any] = json.loads(model.read_text("utf-8"))["ModelRules"]
    return found


def _models(site: Path, version: str) -> Iterator[Path]:
    return (site / "focus_validator" / "rules").glob(f"model-{version}*.json")


def site_of(executable: Path) -> Path:
    """Return where the packages of an environment are."""
    (site,) = executable.parents[1].glob("lib/python3.*/site-packages")
    return site


def _is_fit(interpreter: str) -> bool:
    check = f"import sys; sys.exit(not {PYTHONS[0]} <= sys.version_info < {PYTHONS[1]})"
    try:
        return not subprocess.run([interpreter, "-c", check], capture_output=True).returncode  # noqa: PLW1510, S603
    except OSError:
        return False
