"""What can go wrong between the tap and Twilio."""

from __future__ import annotations

from tap_twilio_usage.errors import TapError


class ApiError(TapError):
    """Twilio, or something in between, answered in a way that the tap cannot continue from.

    `code` is Twilio's error code as text, if the answer had one.
    """

    def __init__(self, message: str, code: str | None = None) -> None:
        """Take the message and the code."""
        super().__init__(message)
        self.code = code


class Denied(ApiError):
    """The credentials may not read this (401, 403)."""


class NotFound(ApiError):
    """404 with code 20404: there is no such account, or no data for these dates."""


class RetriesExhausted(ApiError):
    """Every try failed in a way that might have passed."""


class Transient(ApiError):
    """A failure that may pass. `retry_after` is the wait in seconds that Twilio asked for."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        """Take the reason, which has no URL in it."""
        super().__init__(message)
        self.retry_after = retry_after
