"""What can go wrong between the tap and Twilio."""

from __future__ import annotations

from tap_twilio_usage.errors import TapError


class ApiError(TapError):
    """A response from Twilio, or from a server in between, that the tap cannot continue from.

    `status` is that of the response, if there was one, and `code` Twilio's error code as text.
    """

    def __init__(self, message: str, code: str | None = None, status: int | None = None) -> None:
        """Keep the message, which is one line without secrets, the code and the status."""
        super().__init__(message)
        self.code = code
        self.status = status


class Denied(ApiError):
    """The credentials may not read this (401, 403)."""


class NotFound(ApiError):
    """404 with code 20404: the account does not exist, or has no data for these dates."""


class RetriesExhausted(ApiError):
    """Every try failed in a way that may pass."""


class Transient(ApiError):
    """A failure that may pass. `retry_after` is the wait in seconds that Twilio asked for."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        """Keep the reason, which contains no URL, and the wait."""
        super().__init__(message)
        self.retry_after = retry_after


class InvalidResponseError(ApiError):
    """A response that says success and is not what Twilio documents; none of it is loaded."""

    def __init__(self, message: str) -> None:
        """Keep the message, and add what to do."""
        super().__init__(f"{message}; run again, and report this line if it comes back")
