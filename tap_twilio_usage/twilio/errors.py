"""What ends a run: one line each that a user can act on, with nothing secret in it."""

from __future__ import annotations


class TapError(Exception):
    """A failure that is no bug: shown as its one line, without a traceback; exit code 1."""


class Stopped(SystemExit):
    """A signal ended the run: with the exit code that a shell gives for it."""

    def __init__(self, signum: int) -> None:
        """Take the signal."""
        super().__init__(128 + signum)
        self.signum = signum


class SettingsError(TapError):
    """Settings that cannot be used; `problems` has a line for each thing that is wrong."""

    def __init__(self, problems: list[str]) -> None:
        """Take the lines."""
        super().__init__("; ".join(problems))
        self.problems = problems


class ApiError(TapError):
    """Twilio, or what stands between, answered in a way the tap cannot go on from.

    `code` is Twilio's number for the error, as text, where it gave one.
    """

    def __init__(self, message: str, code: str | None = None) -> None:
        """Take the line, and the code."""
        super().__init__(message)
        self.code = code


class Denied(ApiError):
    """These credentials may not read this (401, 403)."""


class NotFound(ApiError):
    """Twilio's 404 with code 20404: no such account, or no data for these dates."""


class GaveUp(ApiError):
    """No answer came, or none but failures that may pass, in all the tries there are."""


class Transient(ApiError):
    """A failure that may pass. `retry_after` is what Twilio asks to wait, in seconds."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        """Take the reason, without a URL."""
        super().__init__(message)
        self.retry_after = retry_after
