"""The FinOps Foundation's `focus-validator`: its installation, its runs, and its results.

The queries of the use case library are installed beside it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from focus_check.use_cases import PACKAGE

REQUIREMENTS = ("focus-validator==2.2.1", "pyarrow<26")
PYTHONS = (3, 12), (3, 14)  # from the first, up to but not including the second
LEAST_PASSED = 270  # for a complete FOCUS file; fewer means that the output is truncated
PACKAGED = "1.2"  # of this version, the package has the model
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
    "CONTRACT_COMMITMENTS",
    "INVOICE_ISSUER_PAYABLE_INVOICES",
)
PURCHASE = "it treats every purchase as one that covers future charges"
NO_PRICE = "Twilio's usage records have no unit price"
INVERTED = "it wants a price where SkuPriceId is null; its text says the opposite"
GONE = "1.4 has removed the column; the rule is only called deprecated"
# These fail, with the reason. Those of 1.4 are of a draft of its model. docs/focus.md says how they
# were found.
ALLOWED = {
    "1.2": {
        "InvoiceId-C-005-C": "one of its two branches fails for every file",
        "EffectiveCost-C-005-C": PURCHASE,
    },
    "1.3": {
        "CAU-ContractedUnitPrice-C-015-C": NO_PRICE,
        "CAU-EffectiveCost-C-005-C": PURCHASE,
        "CAU-ListUnitPrice-C-013-C": NO_PRICE,
        "CAU-PricingCurrencyContractedUnitPrice-C-012-C": INVERTED,
        "CAU-PricingCurrencyListUnitPrice-C-012-C": NO_PRICE,
    },
    "1.4": {
        "CAU-ContractedUnitPrice-C-015-C": NO_PRICE,
        "CAU-ListUnitPrice-C-013-C": NO_PRICE,
        "CAU-PricingCurrencyContractedUnitPrice-C-012-C": INVERTED,
        "CAU-PricingCurrencyListUnitPrice-C-012-C": NO_PRICE,
        "CAU-CostAndUsage-D-021-M": GONE,
        "CAU-CostAndUsage-D-038-M": GONE,
        **{f"CAU-ProviderName-C-00{number}-M": GONE for number in (1, 2, 3)},
        **{f"CAU-PublisherName-C-00{number}-M": GONE for number in (1, 2, 3)},
    },
}
CIRCLE = "cycle detected"  # says the validator if rules depend on each other
RESULT = re.compile(r"^\S+ (\S+): (PASS|FAIL|SKIPPED)\b", re.MULTILINE)


class UnavailableError(Exception):
    """There is no model of the version, or the validator refuses it."""


class Verdict(NamedTuple):
    """The number of passed and skipped rules, and the failed rules without composite ones."""

    passed: int
    skipped: int
    failed: frozenset[str]

    def unexpected(self, version: str) -> list[str]:
        """Return the failed rules that have no reason to fail."""
        return sorted(self.failed - ALLOWED[version].keys())


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


def run(executable: Path, data: Path, version: str) -> Verdict:
    """Return the validator's verdict on the file; raise SystemExit if it did not finish.

    It downloads the model of a version that it does not have from GitHub.
    """
    site = site_of(executable)
    command = [
        *(f"{executable}", "-m", "focus_validator.main", "--data-file", f"{data.resolve()}"),
        *("--validate-version", version),
        *("--applicability-criteria", ",".join(f"{name}_SUPPORTED" for name in CRITERIA)),
    ]
    # The validator opens its list of currencies relative to the current folder.
    done = subprocess.run(command, cwd=site, capture_output=True, text=True, check=False)  # noqa: S603
    if not _model(site, version):
        raise UnavailableError("the validator could not download its model from GitHub")
    if CIRCLE in done.stderr:
        raise UnavailableError("the validator refuses its model, whose rules depend on each other")
    found = verdict(done.stdout, rules_of(executable, version))
    if done.returncode or found.passed < LEAST_PASSED:
        raise SystemExit(
            f"focus_check: {found.passed} rules passed, exit code {done.returncode}: the validator "
            f"did not finish\n{done.stderr[-2000:]}"
        )
    return found


def verdict(output: str, rules: Mapping[str, Any]) -> Verdict:
    """Return the verdict in the output: the exit code is 0 whatever the validator finds."""
    lacking = _not_applicable(rules)
    results = {
        rule: "SKIPPED" if rules[rule]["Reference"] in lacking else outcome
        for rule, outcome in RESULT.findall(output)
    }
    outcomes = Counter(results.values())
    failed = {rule for rule, outcome in results.items() if outcome == "FAIL"}
    composite = {rule for rule in failed if rules[rule]["Function"] == "Composite"}
    return Verdict(outcomes["PASS"], outcomes["SKIPPED"], frozenset(failed - composite))


def levels(executable: Path, version: str) -> dict[str, str]:
    """Return the level of each rule that the validator has, without what is only permitted."""
    found = {}
    for name, rule in rules_of(executable, version).items():
        keyword = rule["ValidationCriteria"]["Keyword"]
        if rule["Function"] != "Composite" and keyword != "MAY" and rule["Status"] != "Removed":
            found[name] = "MUST" if keyword.startswith("MUST") else "SHOULD"
    return found


def rules_of(executable: Path, version: str) -> dict[str, Any]:
    """Return the rules of the validator's model."""
    model = _model(site_of(executable), version)
    found: dict[str, Any] = json.loads(model.read_text("utf-8"))["ModelRules"] if model else {}
    return found


def site_of(executable: Path) -> Path:
    """Return where the packages of an environment are."""
    (site,) = executable.parents[1].glob("lib/python3.*/site-packages")
    return site


def _model(site: Path, version: str) -> Path | None:
    models = (site / "focus_validator" / "rules").glob(f"model-{version}*.json")
    return next(models, None)


def _not_applicable(rules: Mapping[str, Any]) -> set[str]:
    """Return the columns that the criteria do not ask for.

    The validator skips their rules in 1.2 only: later IDs begin with the dataset, not the column.
    """
    criteria = {f"{name}_SUPPORTED" for name in CRITERIA}
    wanted = {
        (rule["Reference"], criteria.issuperset(rule["ApplicabilityCriteria"]))
        for rule in rules.values()
        if (rule["Function"], rule["EntityType"]) == ("Presence", "Dataset")
    }
    return {column for column, _ in wanted if (column, True) not in wanted}


def _is_fit(interpreter: str) -> bool:
    check = f"import sys; sys.exit(not {PYTHONS[0]} <= sys.version_info < {PYTHONS[1]})"
    try:
        return not subprocess.run([interpreter, "-c", check], capture_output=True).returncode  # noqa: PLW1510, S603
    except OSError:
        return False
