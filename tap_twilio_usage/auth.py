"""Credentials: which of the settings sign a request."""

from __future__ import annotations

from requests.auth import HTTPBasicAuth

from tap_twilio_usage.errors import TapError
from tap_twilio_usage.settings import Settings


def basic(settings: Settings) -> HTTPBasicAuth:
    """Give Basic credentials: the account's Auth Token, else an API key.

    Raises TapError, naming the settings, where neither is complete.
    """
    if settings.account_sid and settings.auth_token:
        return HTTPBasicAuth(settings.account_sid, settings.auth_token)
    if settings.api_key_sid and settings.api_key_secret:
        return HTTPBasicAuth(settings.api_key_sid, settings.api_key_secret)
    missing = {
        (True, False): "api_key_secret is missing",
        (False, True): "api_key_sid is missing",
    }.get((bool(settings.api_key_sid), bool(settings.api_key_secret)), "there are none")
    raise TapError(
        f"no credentials ({missing}): set auth_token (TWILIO_AUTH_TOKEN), or both api_key_sid "
        "and api_key_secret (TWILIO_API_KEY, TWILIO_API_SECRET)"
    )
