"""The output of results: Markdown tables, line by line, and targets."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple


class Target(NamedTuple):
    """A claim, the measured number, and its upper or lower limit."""

    claim: str
    measured: float
    most: float = math.inf
    least: float = 0.0

    @property
    def holds(self) -> bool:
        """Whether the claim is true."""
        return self.least <= self.measured <= self.most

    def __str__(self) -> str:
        """Return the verdict in one line."""
        verdict = "holds" if self.holds else "FAILS"
        limits = [f"at least {self.least:g}"] if self.least else []
        limits += [f"at most {self.most:g}"] if self.most < math.inf else []
        limit = ", ".join(limits)
        return f"- {verdict}: {self.claim}: {round(self.measured, 2):g} ({limit})"


class Table:
    """A table whose first column is text and whose other columns are numbers."""

    def __init__(self, *heads: str, first: int = 38) -> None:
        """Set the headings and the width of the first column."""
        self._heads = heads
        self._widths = [first, *(max(7, len(head)) for head in heads[1:])]

    def head(self) -> Iterator[str]:
        """Yield the lines of the header."""
        yield ""
        yield self._line(self._heads)
        yield self._line([":" + "-" * 5, *["-" * 5 + ":"] * (len(self._heads) - 1)])

    def row(self, name: str, *values: float | str) -> str:
        """Return a row; floats have two decimals."""
        return self._line([name, *map(_text, values)])

    def _line(self, cells: Sequence[str]) -> str:
        first, *others = self._widths
        words = [
            f"{cells[0]:{first}}",
            *(f"{c:>{w}}" for c, w in zip(cells[1:], others, strict=True)),
        ]
        return f"| {' | '.join(words)} |"


def _text(value: float | str) -> str:
    return f"{value:.2f}" if isinstance(value, float) else f"{value}"


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
