"""The session of one run, which all streams share: settings, API clients, state, failures."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import cached_property

from tap_twilio_usage.config import credentials
from tap_twilio_usage.config.settings import Settings
from tap_twilio_usage.logs.heartbeat import Heartbeat
from tap_twilio_usage.logs.redaction import Redactor
from tap_twilio_usage.logs.wording import MAX_SHOWN, count, some
from tap_twilio_usage.sync.failures import Failures
from tap_twilio_usage.sync.state import State
from tap_twilio_usage.twilio import accounts, auth
from tap_twilio_usage.twilio.accounts import Accounts
from tap_twilio_usage.twilio.billing_groups import BillingGroup
from tap_twilio_usage.twilio.billing_lists import Lists
from tap_twilio_usage.twilio.client import Client
from tap_twilio_usage.twilio.errors import ApiError
from tap_twilio_usage.twilio.limits import Limits
from tap_twilio_usage.twilio.threads import once


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
        self.heartbeat = Heartbeat(logger, limits.silence)
        self._redactor = redactor
        self._logger = logger

    @cached_property
    def client(self) -> Client:
        """A client for Twilio's API. Raises TapError if there are no credentials."""
        return self._client("api_url", credentials.basic(self.settings))

    @once
    def fetch_accounts(self) -> Accounts:
        """Return the accounts to read; request them once. Raises TapError."""
        settings = self.settings
        known = self.state.subaccounts(settings.account_sid or "")
        found = accounts.find(self.client, settings, self.today, known)
        if excluded := len(settings.exclude_account_sids):
            self._logger.info("%s left out by exclude_account_sids", count(excluded, "account"))
        if not settings.account_sids:
            self._warn_of_unlisted(found.missing, known)
            return found
        for sid in found.missing:
            error = ApiError(
                "account_sids names this account, but Twilio does not list it: it is mistyped, or "
                "was closed more than 30 days ago; remove it"
            )
            self.failures.add("accounts", sid, error)
        return found

    def _warn_of_unlisted(self, sids: Sequence[str], known: Mapping[str, date | None]) -> None:
        """Warn of subaccounts that earlier runs have read and that Twilio does not list."""
        names = [f"{sid} since {known[sid] or 'the start'}" for sid in sids]
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
            self._client("oauth_token_url", auth.Unsigned()),
            settings.client_id or "",
            settings.client_secret or "",
        )
        client = self._client("billing_api_url", oauth)
        lists = Lists(client, settings.page_size, self._logger)
        return {
            group_id: BillingGroup(lists, group_id, number)
            for number, group_id in enumerate(settings.billing_group_ids, 1)
        }

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
