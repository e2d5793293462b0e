"""Credentials: what the settings have, what a stream needs, and how a request is signed."""

from __future__ import annotations

import re
import threading
import time
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from requests import PreparedRequest
from requests.auth import AuthBase, HTTPBasicAuth

from tap_twilio_usage.errors import TapError
from tap_twilio_usage.twilio.errors import ApiError, Denied, RetriesExhausted

if TYPE_CHECKING:
    from tap_twilio_usage.config.settings import Settings
    from tap_twilio_usage.twilio.client import Client

TOKEN = re.compile(r"[!-~]+")
RENEW_BEFORE = 60.0  # seconds before a token expires; half of its life if that is shorter


class Need(Enum):
    """What a stream has to be allowed to read."""

    MAIN_ACCOUNT = "the main account"
    SUBACCOUNTS = "subaccounts"
    BILLING_GROUPS = "billing groups"


def problem(settings: Settings, need: Need) -> str | None:
    """Say in one line why these settings cannot read it, and what to do; None if they can."""
    if need is Need.BILLING_GROUPS:
        return _oauth_problem(settings)
    if not settings.account_sid:
        return (
            "account_sid is missing: set it (TWILIO_ACCOUNT_SID) to the main account's SID, or "
            "deselect what needs it"
        )
    if settings.auth_token:
        return None
    if not (settings.api_key_sid and settings.api_key_secret):
        missing = {
            (True, False): "api_key_secret is missing",
            (False, True): "api_key_sid is missing",
        }.get((bool(settings.api_key_sid), bool(settings.api_key_secret)), "there are none")
        return (
            f"no credentials ({missing}): set auth_token (TWILIO_AUTH_TOKEN), or both api_key_sid "
            "and api_key_secret (TWILIO_API_KEY, TWILIO_API_SECRET)"
        )
    if need is Need.SUBACCOUNTS:
        return "an API key reads the main account only: set auth_token (TWILIO_AUTH_TOKEN)" + (
            ", or subaccounts to rolled_up" if settings.separates_accounts else ""
        )
    return None


def _oauth_problem(settings: Settings) -> str | None:
    if not settings.billing_group_ids:
        return "billing_group_ids is empty: set it to the groups' commerce_billingprofile_... ids"
    given = {"client_id": settings.client_id, "client_secret": settings.client_secret}
    missing = [name for name, value in given.items() if not value]
    if not missing:
        return None
    return (
        f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing: billing groups "
        "need an OAuth app with scope twilio/billing-insights/usage/read (or remove "
        "billing_group_ids)"
    )


class Credentials(Protocol):
    """What a client signs its requests with; `to_check` names the settings if they are refused."""

    to_check: str

    def sign(self) -> AuthBase:
        """Give what signs a request."""

    def renew(self, refused: AuthBase) -> bool:
        """Drop what was refused; tell whether there is anything new to try."""


class Basic:
    """The account's Auth Token, else an API key; the same for every request."""

    def __init__(
        self, user: str, password: str, to_check: str = "account_sid and auth_token"
    ) -> None:
        """Take the account's or the API key's SID, and its secret."""
        self.to_check = to_check
        self._auth = HTTPBasicAuth(user, password)

    def sign(self) -> AuthBase:
        """Give Basic authentication."""
        return self._auth

    def renew(self, refused: AuthBase) -> bool:
        """Tell that there is nothing new: what was refused stays refused."""
        return False


def basic(settings: Settings) -> Basic:
    """Give the Auth Token, else the API key. Raises TapError where neither is complete."""
    if why := problem(settings, Need.MAIN_ACCOUNT):
        raise TapError(why)
    if settings.auth_token:
        return Basic(settings.account_sid or "", settings.auth_token)
    to_check = "account_sid, api_key_sid and api_key_secret"
    return Basic(settings.api_key_sid or "", settings.api_key_secret or "", to_check)


class Unsigned:
    """No credentials: for the token URL, whose form holds them."""

    to_check = "client_id and client_secret"

    def sign(self) -> AuthBase:
        """Give what adds nothing; with none at all, requests would look into .netrc."""
        return _AddsNothing()

    def renew(self, refused: AuthBase) -> bool:
        """Tell that there is nothing new."""
        return False


class _AddsNothing(AuthBase):
    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        return request


class Bearer(AuthBase):
    """An access token."""

    def __init__(self, token: str, lifetime: float | None) -> None:
        """Take the token; its lifetime is in seconds, None if it was not said."""
        self._token = token
        self._renew_at = (
            time.monotonic() + max(lifetime - RENEW_BEFORE, lifetime / 2)
            if lifetime is not None
            else None
        )

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Sign the request."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def is_due(self) -> bool:
        """Tell whether it expires soon."""
        return self._renew_at is not None and time.monotonic() >= self._renew_at


class OAuth:
    """Client credentials (RFC 6749, 4.4): a token, renewed before it expires or when refused."""

    to_check = (
        "client_id and client_secret, and that the app has the scope "
        "twilio/billing-insights/usage/read"
    )

    def __init__(self, client: Client, client_id: str, client_secret: str) -> None:
        """Ask for no token yet; `client` speaks to the token URL, without credentials."""
        self._client = client
        self._form = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": client_secret,
        }
        self._lock = threading.Lock()
        self._bearer: Bearer | None = None
        self._failed: ApiError | None = None

    def sign(self) -> AuthBase:
        """Give a token that does not expire soon. Raises ApiError if there is none to be had."""
        with self._lock:
            if self._failed:  # so that others do not try as long again
                raise self._failed
            if self._bearer is None or self._bearer.is_due():
                self._bearer = self._ask()
            return self._bearer

    def renew(self, refused: AuthBase) -> bool:
        """Drop the token that was refused, unless another thread has done so."""
        with self._lock:
            if self._bearer is refused:
                self._bearer = None
        return True

    def _ask(self) -> Bearer:
        try:
            answer = self._client.post("", form=self._form, name="oauth_token_url")
        except (Denied, RetriesExhausted) as error:
            self._failed = error
            raise
        except ApiError as error:
            raise ApiError(f"{error}; check {self.to_check}") from None
        token, lifetime = answer.get("access_token"), answer.get("expires_in")
        if not isinstance(token, str) or not TOKEN.fullmatch(token):
            raise ApiError("oauth_token_url answered without an access_token")
        self._client.mask.add(token)
        try:
            return Bearer(token, None if lifetime is None else float(lifetime))
        except (TypeError, ValueError):
            return Bearer(token, None)
