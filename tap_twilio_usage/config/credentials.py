"""Which credentials the settings contain, and what they can read."""

from __future__ import annotations

from enum import Enum

from tap_twilio_usage.config.settings import Settings
from tap_twilio_usage.errors import TapError
from tap_twilio_usage.twilio.auth import Basic


class Need(Enum):
    """What a stream has to be allowed to read."""

    MAIN_ACCOUNT = "the main account"
    SUBACCOUNTS = "subaccounts"
    BILLING_GROUPS = "billing groups"


def problem(settings: Settings, need: Need) -> str | None:
    """Return why these settings cannot read it and what to do, in one line; None if they can."""
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


def basic(settings: Settings) -> Basic:
    """Return the Auth Token, or else the API key. Raises TapError if neither is complete."""
    if why := problem(settings, Need.MAIN_ACCOUNT):
        raise TapError(why)
    if settings.auth_token:
        return Basic(settings.account_sid or "", settings.auth_token)
    to_check = "account_sid, api_key_sid and api_key_secret"
    return Basic(settings.api_key_sid or "", settings.api_key_secret or "", to_check)
