"""The errors of a file; each ends the command with lines that a user can act on."""

from __future__ import annotations


class InvoiceError(Exception):
    """Why files cannot be read; `problems` has one line for each reason."""

    def __init__(self, *problems: str) -> None:
        """Take one line for each problem."""
        super().__init__("; ".join(problems))
        self.problems = problems
