"""The accounts to read, each with credentials of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from tap_twilio_usage.logs.redaction import shown
from tap_twilio_usage.money.parsers import canonical_sid


class Kind(NamedTuple):
    """A kind of credentials: its settings, all of which are needed."""

    names: tuple[str, ...]
    title: str


AUTH_TOKEN = Kind(("auth_token",), "an Auth Token")
API_KEY = Kind(("api_key_sid", "api_key_secret"), "an API key")
OAUTH_APP = Kind(("account_client_id", "account_client_secret"), "an OAuth app")
KINDS = (AUTH_TOKEN, API_KEY, OAUTH_APP)
SUBACCOUNTS = ["rolled_up", "separate", "excluded"]
DEFAULT_SUBACCOUNTS = "rolled_up"
BY_ITSELF = "by itself"  # for `separate`, by credentials that cannot list the subaccounts
OF_CREDENTIALS = tuple(name for kind in KINDS for name in kind.names)


@dataclass(frozen=True)
class Connection:
    """An account, and the credentials that read it. Its `repr` shows no secret.

    `position` is the place in `connections`, from 1; it is 0 for the settings outside of it. `name`
    is what the user calls the account.
    """

    account_sid: str | None
    subaccounts: str
    position: int = 0
    name: str | None = None
    auth_token: str | None = field(default=None, repr=False)
    api_key_sid: str | None = None
    api_key_secret: str | None = field(default=None, repr=False)
    account_client_id: str | None = None
    account_client_secret: str | None = field(default=None, repr=False)

    @property
    def includes_subaccounts(self) -> bool:
        """Whether the account's rows include its subaccounts."""
        return self.subaccounts == "rolled_up"

    @property
    def separates_accounts(self) -> bool:
        """Whether each of its subaccounts has its own rows."""
        return self.subaccounts == "separate"

    @property
    def is_by_itself(self) -> bool:
        """Whether its subaccounts have their own rows too, as far as they have connections."""
        return self.subaccounts == BY_ITSELF

    @property
    def kind(self) -> Kind | None:
        """The first kind of credentials that is complete; None if there is none."""
        return next(
            (kind for kind in KINDS if all(getattr(self, name) for name in kind.names)), None
        )

    def setting(self, *names: str) -> str:
        """Return the names of settings for a message, with the connection that they are in."""
        listed = " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
        return f"{listed} of {label(self.position, self.name)}" if self.position else listed


def label(position: int, name: object) -> str:
    """Return what messages call one of the `connections`: its position and its name."""
    return f"connection {position}" + (f" ({shown(name)})" if name else "")


def connections(config: Mapping[str, Any]) -> tuple[Connection, ...]:
    """Return the connections of a configuration without errors: there is at least one.

    The first one has the settings outside of `connections`, unless these name no account.
    """
    return tuple(_connections(config))


def _connections(config: Mapping[str, Any]) -> Iterator[Connection]:
    further = config.get("connections") or ()
    default = config.get("subaccounts", DEFAULT_SUBACCOUNTS)
    if not further:
        yield _connection(config, 0, config.get("billing_account_name"), default)
        return
    if any(map(config.get, ("account_sid", *OF_CREDENTIALS))):
        yield _one_of_several(config, 0, config.get("billing_account_name"), default)
    for position, each in enumerate(further, 1):
        yield _one_of_several(each, position, each.get("name"), default)


def _one_of_several(
    given: Mapping[str, Any], position: int, name: str | None, default: str
) -> Connection:
    """Return a connection that reads its own account only where it cannot read subaccounts.

    With `separate`, each account is read by itself, and the subaccounts have connections too.
    """
    found = _connection(given, position, name, given.get("subaccounts") or default)
    if found.separates_accounts and found.kind is not AUTH_TOKEN:
        return replace(found, subaccounts=BY_ITSELF)
    return found


def _connection(
    given: Mapping[str, Any], position: int, name: str | None, subaccounts: str
) -> Connection:
    return Connection(
        canonical_sid(given.get("account_sid") or "") or None,
        subaccounts,
        position,
        name,
        **{each: given.get(each) or None for each in OF_CREDENTIALS},
    )
