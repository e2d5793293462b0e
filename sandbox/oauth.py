"""The OAuth token endpoint: it issues Bearer tokens that expire for client credentials."""

from __future__ import annotations

import json
import secrets
from time import monotonic as clock
from typing import TYPE_CHECKING

from sandbox.errors import invalid, unauthorized

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.wire import Body

TOKEN_PATH = "/v2/token"  # noqa: S105 - not a token
CLIENT_ID = "OQ" + "1".zfill(32)
CLIENT_SECRET = "sandbox-client-secret"  # noqa: S105 - valid for the sandbox only


class Tokens:
    """The issued tokens, each valid for `lifetime` seconds. Thread-safe.

    `apps` has the client ID and secret of each app, and what its tokens stand for.
    """

    def __init__(self, lifetime: float, apps: Mapping[tuple[str, str], object]) -> None:
        """Start without tokens."""
        self._lifetime = lifetime
        self._apps = apps
        self._ends: dict[str, tuple[float, object]] = {}
        self.given: list[str] = []

    def grant(self, body: Body) -> bytes:
        """Return the JSON with a new token; raise ApiError if the form is not valid."""
        form = body.form()
        app = form.get("client_id", ""), form.get("client_secret", "")
        if app not in self._apps:
            raise unauthorized(None)
        if form.get("grant_type") != "client_credentials":
            raise invalid("grant_type")
        token = secrets.token_urlsafe(48)
        self.given.append(token)
        self._ends[token] = clock() + self._lifetime, self._apps[app]
        answer = {
            "access_token": token,
            "token_type": "bearer",
            "expires_in": int(self._lifetime),
        }
        return json.dumps(answer).encode()

    def check(self, authorization: str | None) -> object:
        """Return what the token of an `Authorization` header stands for, or raise ApiError 401."""
        scheme, _, token = (authorization or "").partition(" ")
        end, owner = self._ends.get(token, (0.0, None))
        if scheme.lower() != "bearer" or clock() >= end:
            raise unauthorized("Bearer")
        return owner

    def revoke(self) -> None:
        """Revoke all tokens issued so far."""
        self._ends = {}
