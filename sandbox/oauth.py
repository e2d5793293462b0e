"""The OAuth token endpoint: client credentials in a form for a Bearer token that ends."""

from __future__ import annotations

import json
import secrets
import time
from typing import TYPE_CHECKING

from sandbox.errors import invalid, unauthorized

if TYPE_CHECKING:
    from sandbox.wire import Body

TOKEN_PATH = "/v2/token"  # noqa: S105 - no token
CLIENT_ID = "OQ" + "1".zfill(32)
CLIENT_SECRET = "sandbox-client-secret"  # noqa: S105 - opens nothing but the sandbox


class Tokens:
    """The tokens given out, each good for `lifetime` seconds. Safe to use from any thread."""

    def __init__(self, lifetime: float) -> None:
        """Begin without any."""
        self._lifetime = lifetime
        self._ends: dict[str, float] = {}
        self.given: list[str] = []

    def grant(self, body: Body) -> bytes:
        """Return the JSON with a new token; ApiError if the form does not entitle to one."""
        form = body.form()
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            raise unauthorized(None)
        if form.get("grant_type") != "client_credentials":
            raise invalid("grant_type")
        token = secrets.token_urlsafe(48)
        self.given.append(token)
        self._ends[token] = time.monotonic() + self._lifetime
        answer = {
            "access_token": token,
            "token_type": "bearer",
            "expires_in": int(self._lifetime),
        }
        return json.dumps(answer).encode()

    def check(self, authorization: str | None) -> None:
        """Raise ApiError 401 unless the `Authorization` header has a token that holds."""
        scheme, _, token = (authorization or "").partition(" ")
        end = self._ends.get(token) if scheme.lower() == "bearer" else None
        if end is None or time.monotonic() >= end:
            raise unauthorized("Bearer")

    def revoke(self) -> None:
        """Make all tokens given out so far invalid."""
        self._ends = {}
