"""The session of one run, which all streams share: settings, API clients, state, failures."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date
from functools import cached_property

from tap_twilio_usage.config import credentials
from tap_twilio_usage.config.connection import Connection
from tap_twilio_usage.config.settings import Settings
from tap_twilio_usage.errors import TapError
from tap_twilio_usage.logs.heartbeat import Heartbeat
from tap_twilio_usage.logs.redaction import Redactor
from tap_twilio_usage.logs.wording import MAX_SHOWN, count, some
from tap_twilio_usage.sync.endpoints import Endpoints
from tap_twilio_usage.sync.failures import Failures
from tap_twilio_usage.sync.state import State
from tap_twilio_usage.twilio import auth
from tap_twilio_usage.twilio.accounts import Accounts, Finder
from tap_twilio_usage.twilio.billing_groups import BillingGroup
from tap_twilio_usage.twilio.billing_lists import Lists
from tap_twilio_usage.twilio.client import Client
from tap_twilio_usage.twilio.errors import ApiError
from tap_twilio_usage.twilio.limits import Limits
from tap_twilio_usage.twilio.threads import once
from tap_twilio_usage.twilio.usage_records import Account

MAX_REQUESTS = 32  # at the same time; more would take more memory than they save time


class Session:
    """One run of the tap. It opens no connection before the first request."""

    def __init__(
        self,
        settings: Settings,
        *,
        redactor: Redactor,
        logger: logging.Logger,
        limits: Limits,
        today: Callable[[], date],
    ) -> None:
        """Take the settings, the limits, and the clock: `today` returns the current day in GMT."""
        self.settings = settings
        self.limits = limits
        self.today = today
        self.state = State()
        self.failures = Failures(logger)
        self.endpoints = Endpoints(logger)
        self.heartbeat = Heartbeat(logger, limits.silence)
        self._redactor = redactor
        self._logger = logger

    @cached_property
    def clients(self) -> dict[Connection, Client]:
        """A client of Twilio's API for each connection. Raises TapError without credentials."""
        return {
            each: self._client("api_url", credentials.credentials(each, self._token_client))
            for each in self.settings.connections
        }

    @property
    def max_requests(self) -> int:
        """The number of requests that all connections together may make at the same time."""
        of_all = self.settings.max_concurrent_requests * len(self.settings.connections)
        return min(of_all, MAX_REQUESTS)

    @once
    def fetch_accounts(self) -> Accounts:
        """Return the accounts to read; request them once. Raises TapError."""
        settings, known = self.settings, self.state.subaccounts
        finder = Finder([*self.clients.items()], settings, self.today, known)
        found = finder.find()
        self._refuse_double_reading(found, finder)
        if excluded := len(settings.exclude_account_sids):
            self._logger.info("%s left out by exclude_account_sids", count(excluded, "account"))
        missing = {sid: company.main.sid for company in found.companies for sid in company.missing}
        if not settings.account_sids:
            self._warn_of_unlisted({sid: known(main)[sid] for sid, main in missing.items()})
            return found
        for sid in missing if not found.refused else ():  # else a list that failed may have it
            error = ApiError(
                "account_sids names this account, but Twilio does not list it: it is mistyped, or "
                "was closed more than 30 days ago; remove it"
            )
            self.failures.add("accounts", sid, error)
        return found

    def _refuse_double_reading(self, accounts: Accounts, finder: Finder) -> None:
        """Raise TapError if a subaccount is read by itself and in the rows of its main account."""
        mains = [each.main for each in accounts.companies]
        including = [each for each in mains if each.includes_subaccounts]
        if len(mains) < 2 or not including:  # noqa: PLR2004
            return
        names = some([each.sid for each in including])
        self._logger.info(
            "rows of %s include subaccounts (rolled_up): none of these may have a connection", names
        )
        owners = {each.sid: self._fetch_owner(each) for each in mains}
        for main in including:
            known = {*self.state.subaccounts(main.sid)}
            known |= {sid for sid, owner in owners.items() if owner == main.sid}
            with suppress(ApiError):
                if self._connection(main.sid).auth_token:
                    known |= finder.fetch_listed(main.sid)
            for sid in sorted(filter(accounts.get, known - {main.sid})):
                raise TapError(
                    f"{sid} is a subaccount of {main.sid}, whose rows include it (subaccounts: "
                    f"rolled_up), so it must not have a connection of its own: remove it from "
                    f"connections, or set subaccounts of {main.sid} to excluded"
                )

    def _fetch_owner(self, account: Account) -> str | None:
        """Return the main account's SID; None if it cannot be read, which an Auth Token can."""
        with suppress(ApiError):
            return account.fetch_owner() if self._connection(account.sid).auth_token else None
        return None

    def _connection(self, sid: str) -> Connection:
        return next(each for each in self.settings.connections if each.account_sid == sid)

    def _warn_of_unlisted(self, since: Mapping[str, date | None]) -> None:
        """Warn of subaccounts that earlier runs have read and that Twilio does not list."""
        names = [f"{sid} since {day or 'the start'}" for sid, day in sorted(since.items())]
        if names:
            self._logger.warning(
                "Twilio no longer lists some accounts, so these days are not loaded: %s; add an "
                "account that was closed to exclude_account_sids",
                some(names),
            )
        for name in names[MAX_SHOWN:]:
            self._logger.info("Twilio no longer lists %s", name)

    @cached_property
    def billing_groups(self) -> dict[str, BillingGroup]:
        """The billing groups of the settings, by ID."""
        settings = self.settings
        oauth = auth.OAuth(
            self._token_client(auth.Unsigned()),
            settings.client_id or "",
            settings.client_secret or "",
        )
        client = self._client("billing_api_url", oauth)
        lists = Lists(client, settings.page_size, self._logger)
        return {
            group_id: BillingGroup(lists, group_id, number)
            for number, group_id in enumerate(settings.billing_group_ids, 1)
        }

    def _token_client(self, unsigned: auth.Credentials) -> Client:
        return self._client("oauth_token_url", unsigned)

    def _client(self, setting: str, api_credentials: auth.Credentials) -> Client:
        return Client(
            getattr(self.settings, setting),
            api_credentials,
            setting=setting,
            redactor=self._redactor,
            heartbeat=self.heartbeat,
            connections=self.settings.max_concurrent_requests,
            limits=self.limits,
            logger=self._logger,
        )
