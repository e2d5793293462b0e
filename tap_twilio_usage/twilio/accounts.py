"""The accounts to read: those of the settings, or with `subaccounts: separate` of Twilio's list."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from itertools import chain
from typing import Any, Protocol

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


class Connection(Protocol):
    """A main account, or a subaccount with credentials of its own."""

    @property
    def account_sid(self) -> str | None:
        """The SID of the account."""

    @property
    def auth_token(self) -> str | None:
        """The Auth Token, if it has one: only that can list the subaccounts."""

    @property
    def includes_subaccounts(self) -> bool:
        """Whether the usage of the account includes its subaccounts."""

    @property
    def separates_accounts(self) -> bool:
        """Whether the account and each of its subaccounts are read by themselves."""

    @property
    def is_by_itself(self) -> bool:
        """Whether its subaccounts are read by themselves too, but not found in a list."""

    def setting(self, *names: str) -> str:
        """Return the names of settings for a message."""


@dataclass(frozen=True)
class Company:
    """A main account; the accounts to read (`chosen`), the main one first; and `missing` SIDs.

    `separates` is whether subaccounts have rows of their own. `listed` are all of Twilio's list, if
    it says which to read; `missing` are the SIDs that were selected or known but are not in it.
    `together` is the main account with its subaccounts, if the rows of all accounts have to add up
    to it, or to it and others of which Twilio has no list; `compared` are the days for which a
    stream of this run has compared them. If the main account includes its subaccounts,
    `without_subaccounts` is the account without them, and `fetch_subaccounts` returns these, where
    the credentials can list them.
    """

    main: Account
    chosen: Sequence[Account]
    missing: Sequence[str] = ()
    separates: bool = False
    listed: Collection[Account] = ()
    together: Account | None = None
    compared: list[Window] = field(default_factory=list)
    without_subaccounts: Account | None = None
    fetch_subaccounts: Callable[[], Sequence[Account]] | None = None


class Accounts:
    """The accounts of all companies, and why some of these cannot be `listed`, by main SID."""

    def __init__(self, companies: Sequence[Company], refused: Mapping[str, ApiError]) -> None:
        """Keep the companies, of which each account has one."""
        self.companies = companies
        self.refused = refused
        self._companies: dict[str, Company] = {}
        self._by_sid: dict[str, Account] = {}
        for company in companies:
            for account in (company.main, *company.chosen):
                self._companies[account.sid] = company
                self._by_sid[account.sid] = account

    @property
    def chosen(self) -> list[Account]:
        """The accounts to read."""
        return [account for company in self.companies for account in company.chosen]

    @property
    def first_of_each(self) -> list[Account]:
        """The first account to read of each connection."""
        firsts = {account.client: account for account in reversed(self.chosen)}
        return [account for account in self.chosen if firsts[account.client] is account]

    def __getitem__(self, sid: str) -> Account:
        """Return an account that can be read."""
        return self._by_sid[sid]

    def get(self, sid: str) -> Account | None:
        """Return the account; None if it cannot be read. The main ones can, also if not chosen."""
        return self._by_sid.get(sid)

    def company(self, sid: str) -> Company | None:
        """Return the company of an account that can be read; None for any other."""
        return self._companies.get(sid)


class Finder:
    """Finds the accounts to read with several connections, each with its own client."""

    def __init__(
        self,
        connections: Sequence[tuple[Connection, Client]],
        selection: Selection,
        today: Callable[[], date],
        known: Callable[[str], Collection[str]],
    ) -> None:
        """Make no request yet.

        `known` returns the SIDs of the subaccounts of a main account that earlier runs have read.
        """
        self._connections = connections
        self._selection = selection
        self._today = today
        self._known = known
        self._own = {each.account_sid: client for each, client in connections}

    def find(self) -> Accounts:
        """Return the selected accounts. Raises ApiError if the only list cannot be read."""
        lists, refused = dict[str, list[Record]](), dict[str, ApiError]()
        for each, client in self._connections:
            if each.separates_accounts:
                sid = each.account_sid or ""
                try:
                    lists[sid] = self._list(each, client)
                except ApiError as error:
                    if len(self._connections) == 1:
                        raise
                    refused[sid] = error
        listed = {row["sid"] for rows in lists.values() for row in rows}
        subaccounts = {
            row["sid"] for main, rows in lists.items() for row in rows if row["sid"] != main
        }
        companies = []
        for each, client in self._connections:
            sid = each.account_sid or ""
            if sid in subaccounts:
                continue  # its main account is of another connection
            if sid in lists:
                companies.append(self._separate(each, client, lists[sid], listed))
            elif sid not in refused and self._is_in_shard(sid):
                companies.append(self._single(each, client, among=refused))
        return Accounts(companies, refused)

    def fetch_listed(self, main_sid: str) -> set[str]:
        """Return the SIDs that the list of a main account with an Auth Token has."""
        found = next(pair for pair in self._connections if pair[0].account_sid == main_sid)
        return {row["sid"] for row in self._list(*found)}

    def _is_in_shard(self, sid: str) -> bool:
        shard = self._selection.shard
        return shard is None or shard.has(sid)

    def _single(self, connection: Connection, client: Client, *, among: Collection[str]) -> Company:
        """Return the company of one account, which may be a subaccount of one `among` others."""
        sid = connection.account_sid or ""
        is_subaccount = any(sid in self._known(main_sid) for main_sid in among)
        main = self._account(
            sid,
            client,
            includes_subaccounts=connection.includes_subaccounts and not is_subaccount,
        )
        compares = connection.is_by_itself and not self._selection.shard
        together = self._account(sid, client, includes_subaccounts=True) if compares else None
        company = Company(main, [main], separates=connection.is_by_itself, together=together)
        if not main.includes_subaccounts:
            return company
        return replace(
            company,
            without_subaccounts=self._account(sid, client, includes_subaccounts=False),
            fetch_subaccounts=(
                partial(self._subaccounts, connection, client) if connection.auth_token else None
            ),
        )

    def _subaccounts(self, connection: Connection, client: Client) -> list[Account]:
        rows = self._list(connection, client)
        return [self._listed(row, client) for row in rows if row["sid"] != connection.account_sid]

    def _listed(self, row: Record, client: Client) -> Account:
        return self._account(
            row["sid"],
            client,
            includes_subaccounts=False,
            date_created=row["date_created"],
            name=row["friendly_name"],
        )

    def _separate(
        self,
        connection: Connection,
        client: Client,
        rows: list[Record],
        elsewhere: Collection[str],
    ) -> Company:
        """Return the company of a list. A subaccount is read by its own connection, if it has one.

        What is not listed here may be listed `elsewhere`.
        """
        selection = self._selection
        main_sid = connection.account_sid or ""
        found = {row["sid"]: self._listed(row, self._own.get(row["sid"], client)) for row in rows}
        main = found[main_sid]
        wanted = set(selection.account_sids or (*found, *self._known(main_sid)))
        wanted -= set(selection.exclude_account_sids)
        if shard := selection.shard:
            wanted = set(filter(shard.has, wanted))
        chosen = [each for sid, each in sorted(found.items()) if sid in wanted]
        chosen.sort(key=lambda each: each is not main)
        missing = sorted(wanted - {*found, *elsewhere, *self._own})
        # Of several shards, the first one compares.
        compares = not selection.account_sids and (not shard or shard.number == 1)
        together = self._account(main_sid, client, includes_subaccounts=True) if compares else None
        return Company(
            main,
            chosen,
            missing,
            separates=True,
            listed=[*found.values()],
            together=together,
        )

    def _list(self, connection: Connection, client: Client) -> list[Record]:
        fields: Fields = {
            "sid": _sid,
            "date_created": partial(day_created, today=self._today()),
            "friendly_name": friendly_name,
        }
        page_size = self._selection.page_size
        rows = [row for row, _ in fetch_list(client, f"{API}.json", "accounts", fields, page_size)]
        if connection.account_sid not in {row["sid"] for row in rows}:
            raise ApiError(
                f"Twilio's list of accounts does not contain the main account, "
                f"{connection.account_sid}; check "
                f"{connection.setting('account_sid', 'auth_token')}"
            )
        return rows

    def _account(self, sid: str, client: Client, **more: Any) -> Account:
        return Account(client, sid, page_size=self._selection.page_size, today=self._today, **more)


def fetch_list(
    client: Client, path: str, key: str, fields: Fields, page_size: int
) -> Iterator[tuple[Record, set[str]]]:
    """Yield these fields of each entry of one of Twilio's lists, typed, and its other names.

    People write names and URLs of their own, which may contain a secret; it is `***` here. Raises
    ApiError, naming the entry, if a field is invalid.
    """
    redacted = client.redactor.text
    pages = fetch_pages(client, path, {"PageSize": f"{page_size}"}, key)
    for position, raw in enumerate(chain.from_iterable(pages), 1):
        try:
            record = parsers.parse(raw, fields)
        except InvalidRecordError as error:
            raise InvalidResponseError(f"{key}: entry {position}: {error}") from None
        for name, value in record.items():
            record[name] = redacted(value) if isinstance(value, str) else value
        yield record, raw.keys() - fields.keys()


def _sid(value: object) -> str:
    """Return an account's SID. It becomes part of a path: nothing else may pass."""
    sid = parsers.account_sid(value)
    if not parsers.ACCOUNT_SID.fullmatch(sid):
        raise ValueError("is not an account SID")
    return sid
