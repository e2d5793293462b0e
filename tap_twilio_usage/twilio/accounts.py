"""The accounts to read: the main account, or with `subaccounts: separate` each one of a list."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import date
from functools import partial
from itertools import chain
from typing import Protocol

from tap_twilio_usage.money import parsers
from tap_twilio_usage.money.parsers import Fields, InvalidRecordError, Record
from tap_twilio_usage.twilio.client import Client
from tap_twilio_usage.twilio.errors import ApiError, InvalidResponseError
from tap_twilio_usage.twilio.pages import fetch_pages
from tap_twilio_usage.twilio.periods import Window
from tap_twilio_usage.twilio.usage_records import API, Account, day_created, friendly_name


class Shard(Protocol):
    """A part of the accounts."""

    @property
    def number(self) -> int:
        """Which part it is; the first one is 1."""

    def has(self, account_sid: str) -> bool:
        """Return whether the account is in this part."""


class Selection(Protocol):
    """The settings that select accounts."""

    @property
    def account_sid(self) -> str | None:
        """The SID of the main account."""

    @property
    def includes_subaccounts(self) -> bool:
        """Whether the usage of the main account includes its subaccounts."""

    @property
    def separates_accounts(self) -> bool:
        """Whether each account is read by itself."""

    @property
    def account_sids(self) -> Collection[str] | None:
        """The only accounts to read by themselves; None for all."""

    @property
    def exclude_account_sids(self) -> Collection[str]:
        """The accounts not to read by themselves."""

    @property
    def shard(self) -> Shard | None:
        """The only part of the accounts to read by themselves; None for all."""

    @property
    def page_size(self) -> int:
        """The number of rows of a page."""


class Accounts:
    """The main account; those to read (`chosen`), the main one first; and `missing` SIDs.

    `listed` are all that Twilio lists, and `together` is the main account with its subaccounts, if
    the rows of all accounts have to add up to it; `compared` are the days for which a stream of
    this run has compared them.
    """

    def __init__(
        self,
        main: Account,
        chosen: list[Account],
        missing: list[str],
        *,
        listed: Collection[Account] = (),
        together: Account | None = None,
    ) -> None:
        """Keep the accounts, and the SIDs that are selected or known but not listed."""
        self.main = main
        self.listed = listed
        self.together = together
        self.compared: list[Window] = []
        self.chosen = chosen
        self.missing = missing
        self._by_sid = {account.sid: account for account in (main, *chosen)}

    def __contains__(self, sid: str) -> bool:
        """Return whether the account can be read; the main one can, also if it is not chosen."""
        return sid in self._by_sid

    def __getitem__(self, sid: str) -> Account:
        """Return an account that can be read."""
        return self._by_sid[sid]

    def get(self, sid: str) -> Account | None:
        """Return the account; None if it cannot be read."""
        return self._by_sid.get(sid)


def find(
    client: Client,
    selection: Selection,
    today: Callable[[], date],
    known: Iterable[str] = (),
) -> Accounts:
    """Return the selected accounts; with `separate`, from Twilio's list. Raises ApiError.

    `known` are the SIDs of the subaccounts that earlier runs have read.
    """
    main_sid = selection.account_sid or ""
    account = partial(Account, client, page_size=selection.page_size, today=today)
    if not selection.separates_accounts:
        main = account(main_sid, includes_subaccounts=selection.includes_subaccounts)
        return Accounts(main, [main], [])
    fields: Fields = {
        "sid": _sid,
        "date_created": partial(day_created, today=today()),
        "friendly_name": friendly_name,
    }
    found: dict[str, Account] = {}
    for row, _ in fetch_list(client, f"{API}.json", "accounts", fields, selection.page_size):
        found[row["sid"]] = account(
            row["sid"],
            includes_subaccounts=False,
            date_created=row["date_created"],
            name=row["friendly_name"],
        )
    if main_sid not in found:
        raise ApiError(
            f"Twilio's list of accounts does not contain the main account, {main_sid}; check "
            "account_sid and auth_token"
        )
    main = found[main_sid]
    wanted = set(selection.account_sids or (*found, *known)) - set(selection.exclude_account_sids)
    if shard := selection.shard:
        wanted = set(filter(shard.has, wanted))
    chosen = [each for sid, each in sorted(found.items()) if sid in wanted]
    chosen.sort(key=lambda each: each is not main)
    missing = sorted(wanted - found.keys())
    # Of several shards, the first one compares.
    compares = not selection.account_sids and (not selection.shard or selection.shard.number == 1)
    together = account(main_sid, includes_subaccounts=True) if compares else None
    return Accounts(main, chosen, missing, listed=[*found.values()], together=together)


def fetch_list(
    client: Client, path: str, key: str, fields: Fields, page_size: int
) -> Iterator[tuple[Record, set[str]]]:
    """Yield these fields of each entry of one of Twilio's lists, typed, and its other names.

    Raises ApiError, naming the entry, if a field is invalid.
    """
    pages = fetch_pages(client, path, {"PageSize": f"{page_size}"}, key)
    for position, raw in enumerate(chain.from_iterable(pages), 1):
        try:
            yield parsers.parse(raw, fields), raw.keys() - fields.keys()
        except InvalidRecordError as error:
            raise InvalidResponseError(f"{key}: entry {position}: {error}") from None


def _sid(value: object) -> str:
    """Return an account's SID. It becomes part of a path: nothing else may pass."""
    sid = parsers.account_sid(value)
    if not parsers.ACCOUNT_SID.fullmatch(sid):
        raise ValueError("is not an account SID")
    return sid
