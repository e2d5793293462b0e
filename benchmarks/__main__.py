"""`python -m benchmarks` runs all benchmarks, or the named parts."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path

from benchmarks.comparison import accounts, night, year
from benchmarks.growth import growth
from benchmarks.limited import limited
from benchmarks.report import Target, say
from benchmarks.sizes import FULL, QUICK, Sizes
from benchmarks.versions import versions

PICTURE = Path(__file__).with_name("growth.svg")
PACKAGES = ("singer-sdk", "requests", "orjson", "twilio")

Part = Callable[[Sizes], Iterator[str | Target]]


def main() -> int:
    """Run the parts. The exit code is 1 if a target is missed, except with `--quick`."""
    parser = _parser()
    options = parser.parse_args()
    parts: dict[str, Part] = {
        "year": year,
        "accounts": accounts,
        "night": night,
        "limited": limited,
        "growth": partial(growth, picture=options.picture),
        **({"versions": partial(versions, other=options.against)} if options.against else {}),
    }
    if unknown := set(options.parts) - set(parts):
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(parts)}")
    sizes = QUICK if options.quick else FULL
    say(f"{_surroundings()}; {sizes}.")
    targets = []
    for name in options.parts or parts:
        for result in parts[name](sizes):
            if isinstance(result, Target):
                targets.append(result)
            else:
                say(result)
    say(f"\n### Targets{' (these sizes are too small for a verdict)' * options.quick}\n")
    for target in targets:
        say(f"{target}")
    return 0 if options.quick or all(target.holds for target in targets) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = parser.add_argument
    add("parts", nargs="*", help="year, accounts, night, limited, growth, versions; default: all")
    add("--quick", action="store_true", help="small sizes, to check that everything works")
    add("--against", type=Path, help="another version's command, for the part `versions`")
    add("--picture", type=Path, default=PICTURE, help="the file for the growth chart")
    return parser


def _surroundings() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return f"Python {platform.python_version()}, {os.cpu_count()} cores, {packages}"


if __name__ == "__main__":
    sys.exit(main())
