"""How requests are signed: Basic with a token or key, or Bearer with an OAuth access token."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from requests import PreparedRequest
from requests.auth import AuthBase, HTTPBasicAuth

from tap_twilio_usage.logs.redaction import Redactor
from tap_twilio_usage.twilio.errors import ApiError, Denied, RetriesExhausted
from tap_twilio_usage.twilio.transport import Json

TOKEN = re.compile(r"[!-~]+")
OF_BILLING_GROUPS = (
    "client_id and client_secret, and that the app has the scope twilio/billing-insights/usage/read"
)
RENEW_BEFORE = 60.0  # seconds before a token expires; half of its lifetime if that is shorter

Clock = Callable[[], float]


class Credentials(Protocol):
    """What a client signs its requests with; `to_check` names the settings if it is refused."""

    to_check: str

    def sign(self) -> AuthBase:
        """Return what signs a request. Raises ApiError if there is no token."""

    def renew(self, refused: AuthBase) -> bool:
        """Drop what was refused; return whether there is anything new to try."""


class Basic:
    """The account's Auth Token or an API key: the same for every request."""

    def __init__(
        self, user: str, password: str, to_check: str = "account_sid and auth_token"
    ) -> None:
        """Keep the SID of the account or of the API key, and its secret."""
        self.to_check = to_check
        self._auth = HTTPBasicAuth(user, password)

    def sign(self) -> AuthBase:
        """Return Basic authentication."""
        return self._auth

    def renew(self, refused: AuthBase) -> bool:
        """Return False: there is nothing new to try."""
        return False


class Unsigned:
    """No credentials: for the token URL, whose form contains them."""

    def __init__(self, to_check: str = "client_id and client_secret") -> None:
        """Take the names of the settings in the form."""
        self.to_check = to_check

    def sign(self) -> AuthBase:
        """Return what adds nothing; without any, requests would look into .netrc."""
        return _NoAuth()

    def renew(self, refused: AuthBase) -> bool:
        """Return False: there is nothing new to try."""
        return False


class _NoAuth(AuthBase):
    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        return request


class Bearer(AuthBase):
    """An access token."""

    def __init__(self, token: str, lifetime: float | None, clock: Clock = time.monotonic) -> None:
        """Keep the token. Its lifetime is in seconds of the clock; None if it is not known."""
        self._token = token
        self._clock = clock
        self._renew_at = (
            clock() + max(lifetime - RENEW_BEFORE, lifetime / 2) if lifetime is not None else None
        )

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Sign the request."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def is_due(self) -> bool:
        """Return whether the token expires soon."""
        return self._renew_at is not None and self._clock() >= self._renew_at


class TokenClient(Protocol):
    """The client of the token URL."""

    redactor: Redactor

    def post(self, path: str, *, name: str, form: Mapping[str, str]) -> Json:
        """Return the JSON object of the response. Raises ApiError."""


class OAuth:
    """Client credentials (RFC 6749, 4.4): a token, renewed before it expires or if it is refused.

    Safe to use from many threads.
    """

    def __init__(
        self,
        client: TokenClient,
        client_id: str,
        client_secret: str,
        clock: Clock = time.monotonic,
        *,
        to_check: str = OF_BILLING_GROUPS,
    ) -> None:
        """Request no token yet. `client` sends to the token URL, without credentials."""
        self.to_check = to_check
        self._client = client
        self._form = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": client_secret,
        }
        self._clock = clock
        self._lock = threading.Lock()
        self._bearer: Bearer | None = None
        self._error: ApiError | None = None

    def sign(self) -> AuthBase:
        """Return a token that does not expire soon. Raises ApiError if there is none."""
        with self._lock:
            if self._error:  # so that other threads do not try for as long again
                raise self._error
            if self._bearer is None or self._bearer.is_due():
                self._bearer = self._fetch_token()
            return self._bearer

    def renew(self, refused: AuthBase) -> bool:
        """Drop the token that was refused, unless another thread has done so; return True."""
        with self._lock:
            if self._bearer is refused:
                self._bearer = None
        return True

    def _fetch_token(self) -> Bearer:
        try:
            body = self._client.post("", form=self._form, name="oauth_token_url")
        except (Denied, RetriesExhausted) as error:
            self._error = error
            raise
        except ApiError as error:
            raise ApiError(f"{error}; check {self.to_check}") from None
        token, lifetime = body.get("access_token"), body.get("expires_in")
        if not isinstance(token, str) or not TOKEN.fullmatch(token):
            raise ApiError(
                "oauth_token_url answered without a valid access_token; check oauth_token_url"
            )
        self._client.redactor.add(token)
        try:
            seconds = None if lifetime is None else float(lifetime)
        except (TypeError, ValueError):
            seconds = None
        return Bearer(token, seconds, self._clock)
