"""The OAuth token endpoint: it issues Bearer tokens that expire for client credentials."""

from __future__ import annotations

import json
import secrets
from time import monotonic as clock
from typing import TYPE_CHECKING

from sandbox.errors import invalid, unauthorized

if TYPE_CHECKING:
    from sandbox.wire import Body

TOKEN_PATH = "/v2/token"  # noqa: S105 - not a token
CLIENT_ID = "OQ" + "1".zfill(32)
CLIENT_SECRET = "sandbox-client-secret"  # noqa: S105 - valid for the sandbox only


class Tokens:
    """The issued tokens, each valid for `lifetime` seconds. Thread-safe."""

    def __init__(self, lifetime: float) -> None:
        """Start without tokens."""
        self._lifetime = lifetime
        self._ends: dict[str, float] = {}
        self.given: list[str] = []

    def grant(self, body: Body) -> bytes:
        """Return the JSON with a new token; raise ApiError if the form is not valid."""
        form = body.form()
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            raise unauthorized(None)
        if form.get("grant_type") != "client_credentials":
            raise invalid("grant_type")
        token = secrets.token_urlsafe(48)
        self.given.append(token)
        self._ends[token] = clock() + self._lifetime
        answer = {
            "access_token": token,
            "token_type": "bearer",
            "expires_in": int(self._lifetime),
        }
        return json.dumps(answer).encode()

    def check(self, authorization: str | None) -> None:
        """Raise ApiError 401 unless the `Authorization` header has a valid token."""
        scheme, _, token = (authorization or "").partition(" ")
        end = self._ends.get(token) if scheme.lower() == "bearer" else None
        if end is None or clock() >= end:
            raise unauthorized("Bearer")

    def revoke(self) -> None:
        """Revoke all tokens issued so far."""
        self._ends = {}
