"""The accounts to read: the main one, and with `subaccounts: separate` those it owns."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from tap_twilio_usage.config.settings import ACCOUNT_SID, Settings, Shard
from tap_twilio_usage.money import parsers
from tap_twilio_usage.money.parsers import Fields, InvalidRecordError, Record
from tap_twilio_usage.twilio.client import Client
from tap_twilio_usage.twilio.errors import ApiError
from tap_twilio_usage.twilio.usage_records import API, Account, day_created, friendly_name

ALL_ACCOUNTS = Shard(1, 1)


def _sid(value: object) -> str:
    """Give an account's SID: it becomes part of a path."""
    sid = parsers.name(value)
    if not ACCOUNT_SID.fullmatch(sid):
        raise ValueError("is no account SID")
    return sid


LISTED: Fields = {"sid": _sid, "date_created": day_created, "friendly_name": friendly_name}


class Accounts:
    """The main account, those to read (the main one first) and what was asked for in vain."""

    def __init__(self, main: Account, chosen: list[Account], missing: list[str]) -> None:
        """Take them."""
        self.main = main
        self.chosen = chosen
        self.missing = missing
        self._by_sid = {account.sid: account for account in (main, *chosen)}

    def __contains__(self, sid: str) -> bool:
        """Tell whether it can be read: so can the main account even if it was not chosen."""
        return sid in self._by_sid

    def __getitem__(self, sid: str) -> Account:
        """Give one that can be read."""
        return self._by_sid[sid]

    def get(self, sid: str) -> Account | None:
        """Give it, if it can be read."""
        return self._by_sid.get(sid)


def find(client: Client, settings: Settings) -> Accounts:
    """Give the accounts that the settings choose; those of `separate` are listed by Twilio."""
    main_sid = settings.account_sid or ""
    if not settings.separates_accounts:
        main = Account(
            client,
            main_sid,
            includes_subaccounts=settings.includes_subaccounts,
            page_size=settings.page_size,
        )
        return Accounts(main, [main], [])
    found: dict[str, Account] = {}
    for row, _ in listed(client, f"{API}.json", "accounts", LISTED, settings.page_size):
        is_main = row["sid"].lower() == main_sid.lower()
        account = found[row["sid"].lower()] = Account(
            client,
            main_sid if is_main else row["sid"],
            includes_subaccounts=False,
            page_size=settings.page_size,
            date_created=row["date_created"],
        )
        account.friendly_name = row["friendly_name"]
    if main_sid.lower() not in found:
        raise ApiError(f"Twilio's list of accounts leaves out the main one, {main_sid}")
    main = found[main_sid.lower()]
    wanted = {sid.lower(): sid for sid in settings.account_sids or found}
    shard = settings.shard or ALL_ACCOUNTS
    chosen = [account for sid, account in sorted(found.items()) if sid in wanted and shard.has(sid)]
    chosen.sort(key=lambda account: account is not main)
    missing = [sid for lower, sid in wanted.items() if lower not in found and shard.has(sid)]
    return Accounts(main, chosen, missing)


def listed(
    client: Client, path: str, key: str, fields: Fields, page_size: int
) -> Iterator[tuple[Record, set[str]]]:
    """Give these fields of every entry of one of Twilio's lists, typed, and the names of others."""
    pages = client.pages(path, {"PageSize": f"{page_size}"}, key)
    for position, raw in enumerate(chain.from_iterable(pages), 1):
        try:
            yield parsers.parse(raw, fields), raw.keys() - fields.keys()
        except InvalidRecordError as error:
            raise ApiError(f"{key}: entry {position}: {error}") from None
