"""Look the packages of a pip report up in PyPI's advisories, by pip-audit; exit 1 if one has any.

What cannot be looked up is told in one line, and is no failure.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import requests
from packaging.version import Version
from pip_audit._service import PyPIService, ResolvedDependency, ServiceError


def newest(answer: requests.Response, **options: Any) -> requests.Response:
    """Give a package's page for that of the version, where a mirror has only the former.

    Its advisories are those of the newest version; of another one it says nothing.
    """
    asked = re.fullmatch("(.+/pypi/[^/]+)/([^/]+)/json", answer.url)
    if answer.status_code != requests.codes.not_found or not asked:
        return answer
    page = requests.get(f"{asked[1]}/json", timeout=options["timeout"])
    is_it = page.ok and Version(page.json()["info"]["version"]) == Version(asked[2])
    return page if is_it else answer


def look_up(service: PyPIService, name: str, version: str) -> list[str]:
    """Give the package's advisories; raises LookupError where there is no page of it."""
    try:
        package, found = service.query(ResolvedDependency(name, Version(version)))
    except (ServiceError, requests.RequestException, KeyError, ValueError) as error:
        raise LookupError(type(error).__name__) from None
    if package.is_skipped():
        raise LookupError("no page of that version")
    return sorted({f"{name} {version} has {each.id}" for each in found})


def main(report: Path) -> int:
    """Print what was found; return the exit code."""
    service = PyPIService()
    service.session.hooks["response"].append(newest)
    found, missed = [], {}
    packages = [
        package["metadata"]
        for package in json.loads(report.read_text(encoding="utf-8"))["install"]
        if not package["requested"]  # the tap itself
    ]
    for package in packages:
        try:
            found += look_up(service, package["name"], package["version"])
        except LookupError as error:
            missed[package["name"]] = f"{error}"
    looked_up = f"{len(packages) - len(missed)} of {len(packages)} packages"
    reasons = "".join(f"; {name}: {reason}" for name, reason in missed.items())
    print(*found, f"pip-audit: {len(found)} advisories on {looked_up}{reasons}", sep="\n")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
