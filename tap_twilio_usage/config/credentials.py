"""Which credentials the settings contain, and what they can read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum

from tap_twilio_usage.config.connection import API_KEY, AUTH_TOKEN, OAUTH_APP, Connection
from tap_twilio_usage.config.settings import Settings
from tap_twilio_usage.errors import TapError
from tap_twilio_usage.twilio.auth import Basic, Credentials, OAuth, TokenClient, Unsigned

PERMISSION = "/twilio/billing/usage/read"


class Need(Enum):
    """What a stream has to be allowed to read."""

    ACCOUNTS = "the usage of each connection's account, and of its subaccounts if they are separate"
    MAIN_ACCOUNTS = "each connection's account, whatever rows there are of subaccounts"
    LISTS = "the list of accounts of at least one connection"
    BILLING_GROUPS = "billing groups"


def problems(settings: Settings, need: Need) -> list[str]:
    """Return why these settings cannot read it and what to do, one line each; none if they can."""
    if need is Need.BILLING_GROUPS:
        return [*_oauth_problems(settings)]
    found = [problem(each, need) for each in settings.connections]
    if need is Need.LISTS and None in found:
        return []
    return [*filter(None, found[:1] if need is Need.LISTS else found)]


def problem(connection: Connection, need: Need) -> str | None:
    """Return why the connection cannot read what is needed; None if it can."""
    if not connection.account_sid:
        return (
            "account_sid is missing: set it (TWILIO_ACCOUNT_SID) to the main account's SID, or "
            "deselect what needs it"
        )
    if connection.kind is None:
        missing = {
            (True, False): "api_key_secret is missing",
            (False, True): "api_key_sid is missing",
        }.get((bool(connection.api_key_sid), bool(connection.api_key_secret)), "there are none")
        for given, other in (OAUTH_APP.names, OAUTH_APP.names[::-1]):
            if getattr(connection, given):
                missing = f"{other} is missing"
        return (
            f"no credentials ({missing}): set auth_token (TWILIO_AUTH_TOKEN), or both api_key_sid "
            "and api_key_secret (TWILIO_API_KEY, TWILIO_API_SECRET), or both account_client_id and "
            "account_client_secret"
        )
    lists = need is Need.LISTS or (need is Need.ACCOUNTS and connection.separates_accounts)
    if lists and connection.kind is not AUTH_TOKEN:
        return f"{connection.kind.title} reads the main account only: set auth_token " + (
            "(TWILIO_AUTH_TOKEN), or subaccounts to rolled_up, or name each account in connections"
            if connection.separates_accounts
            else "(TWILIO_AUTH_TOKEN)"
        )
    return None


def _oauth_problems(settings: Settings) -> Iterator[str]:
    if not settings.billing_group_ids:
        yield "billing_group_ids is empty: set it to the groups' commerce_billingprofile_... ids"
        return
    given = {"client_id": settings.client_id, "client_secret": settings.client_secret}
    if missing := [name for name, value in given.items() if not value]:
        yield (
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing: billing "
            "groups need an OAuth app with scope twilio/billing-insights/usage/read (or remove "
            "billing_group_ids)"
        )


def credentials(
    connection: Connection, token_client: Callable[[Credentials], TokenClient]
) -> Credentials:
    """Return what signs the connection's requests. Raises TapError if there is nothing complete.

    `token_client` returns a client for the token URL.
    """
    if why := problem(connection, Need.MAIN_ACCOUNTS):
        raise TapError(why)
    if connection.kind is AUTH_TOKEN:
        to_check = connection.setting("account_sid", "auth_token")
        return Basic(connection.account_sid or "", connection.auth_token or "", to_check)
    if connection.kind is API_KEY:
        to_check = connection.setting("account_sid", *API_KEY.names)
        to_check += f", and that a Restricted key has the permission {PERMISSION}"
        return Basic(connection.api_key_sid or "", connection.api_key_secret or "", to_check)
    to_check = connection.setting(*OAUTH_APP.names)
    to_check += f", and that the app has the permission {PERMISSION}"
    return OAuth(
        token_client(Unsigned(connection.setting(*OAUTH_APP.names))),
        connection.account_client_id or "",
        connection.account_client_secret or "",
        to_check=to_check,
    )
