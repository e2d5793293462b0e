"""Twilio's error answers, in the form that all of its APIs share."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class ApiError(Exception):
    """An error answer, with Twilio's own text."""

    def __init__(
        self, status: int, code: int, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        """Create the error from its HTTP status, Twilio code, message and headers."""
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
    """Return the answer to invalid credentials, with the scheme that the resource expects."""
    headers = {"WWW-Authenticate": f'{scheme} realm="Twilio API"'} if scheme else {}
    return ApiError(401, 20003, "Authenticate", headers)


def forbidden() -> ApiError:
    """Return the answer to credentials without the permission for the resource."""
    return ApiError(403, 403, "Forbidden")


def not_found(path: str) -> ApiError:
    """Return the answer for a resource that does not exist, or not for this caller."""
    return ApiError(404, 20404, f"The requested resource {path} was not found")


def not_allowed(allowed: str) -> ApiError:
    """Return the answer to a method that is not allowed."""
    return ApiError(405, 20004, "Method not allowed", {"Allow": allowed})


def invalid(name: str) -> ApiError:
    """Return the answer to an invalid parameter."""
    return ApiError(400, 20001, f"Invalid {name}")


def length_required() -> ApiError:
    """Return the answer to a body of unknown length, after which no request can be read."""
    return ApiError(411, 20001, "Invalid Content-Length", {"Connection": "close"})


def too_many_requests(retry_after: str | None) -> ApiError:
    """Return the answer to a request over the concurrency limit."""
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return ApiError(429, 20429, "Too Many Requests", headers)
