"""The errors that end a run with one line. Anything else is a bug and shows a traceback."""

from __future__ import annotations


class TapError(Exception):
    """A failure that is not a bug. Its message is one line without secrets; the exit code is 1."""


class SettingsError(TapError):
    """Settings that cannot be used. `problems` has one line for each."""

    def __init__(self, problems: list[str]) -> None:
        """Take the lines."""
        super().__init__("; ".join(problems))
        self.problems = problems
