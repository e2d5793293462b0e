"""Twilio's answers other than 200, in the form that all of its APIs share."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class ApiError(Exception):
    """An answer other than 200, as Twilio words it."""

    def __init__(
        self, status: int, code: int, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        """Make the error of this HTTP status and Twilio code, and the headers that go with it."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = dict(headers or {})

    def body(self) -> bytes:
        """Return the JSON that Twilio sends with it."""
        content = {
            "code": self.code,
            "message": str(self),
            "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
            "status": self.status,
        }
        return json.dumps(content).encode()


def unauthorized(scheme: str | None) -> ApiError:
    """Return the answer to credentials that open nothing, and the scheme of a header that would."""
    headers = {"WWW-Authenticate": f'{scheme} realm="Twilio API"'} if scheme else {}
    return ApiError(401, 20003, "Authenticate", headers)


def not_found(path: str) -> ApiError:
    """Return the answer for a resource that is not there, or not for this caller."""
    return ApiError(404, 20404, f"The requested resource {path} was not found")


def not_allowed(allowed: str) -> ApiError:
    """Return the answer to a request with another method than the one that is allowed."""
    return ApiError(405, 20004, "Method not allowed", {"Allow": allowed})


def invalid(name: str) -> ApiError:
    """Return the answer to a parameter that cannot be read."""
    return ApiError(400, 20001, f"Invalid {name}")


def length_required() -> ApiError:
    """Return the answer to a body whose end is unknown, and with it where the next request is."""
    return ApiError(411, 20001, "Invalid Content-Length", {"Connection": "close"})


def too_many_requests(retry_after: str | None) -> ApiError:
    """Return the answer to a request over the concurrency limit."""
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return ApiError(429, 20429, "Too Many Requests", headers)
