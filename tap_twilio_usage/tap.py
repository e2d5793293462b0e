"""The tap: its settings, its streams, its command."""

from __future__ import annotations

import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import Stream, Tap
from singer_sdk.helpers._classproperty import classproperty
from singer_sdk.helpers.capabilities import PluginCapabilities, TapCapabilities

from tap_twilio_usage import auth, settings, state
from tap_twilio_usage.account import Account
from tap_twilio_usage.client import Client
from tap_twilio_usage.command import Command
from tap_twilio_usage.compat import override
from tap_twilio_usage.errors import SettingsError, TapError
from tap_twilio_usage.settings import Settings
from tap_twilio_usage.stream_maps import FlaggingMapper
from tap_twilio_usage.streams.categories import CategoriesStream
from tap_twilio_usage.streams.lists import AccountsStream, UsageTriggersStream
from tap_twilio_usage.streams.usage_records import UsageRecordsStream
from tap_twilio_usage.windows import GRANULARITIES

if TYPE_CHECKING:
    from types import FrameType

    import click


class TapTwilioUsage(Tap):
    """Loads Twilio usage and spend, counting every dollar once."""

    name = "tap-twilio-usage"
    config_jsonschema = settings.SCHEMA
    # Without ACTIVATE_VERSION: a target that deletes by it would delete history.
    capabilities: ClassVar = [
        TapCapabilities.CATALOG,
        TapCapabilities.DISCOVER,
        TapCapabilities.STATE,
        PluginCapabilities.ABOUT,
        PluginCapabilities.BATCH,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]

    @cached_property
    def settings(self) -> Settings:
        """The configuration, typed."""
        return Settings.of(self.config)

    @cached_property
    def client(self) -> Client:
        """Twilio's API with the credentials of the settings."""
        return Client(
            self.settings.api_url,
            auth.basic(self.settings),
            secrets=self.settings.secrets,
            connections=self.settings.max_concurrent_requests,
            logger=self.logger,
        )

    @cached_property
    def account(self) -> Account:
        """The main account."""
        if not self.settings.account_sid:
            raise TapError(
                "account_sid is missing: set it (TWILIO_ACCOUNT_SID) to the main account's SID"
            )
        return Account(
            self.client,
            self.settings.account_sid,
            includes_subaccounts=self.settings.includes_subaccounts,
            page_size=self.settings.page_size,
        )

    @override
    def discover_streams(self) -> list[Stream]:
        usage_records = [UsageRecordsStream(self, each) for each in GRANULARITIES]
        return [
            AccountsStream(self),
            CategoriesStream(self),
            UsageTriggersStream(self),
            *usage_records,
        ]

    @override
    def setup_mapper(self) -> None:
        self._mapper = FlaggingMapper(plugin_config=dict(self.config), logger=self.logger)
        self._mapper.register_raw_streams_from_catalog(self.catalog)
        self._mapper.refuse_unknown_streams(self.streams)

    @override
    def load_state(self, state_dict: dict[str, Any]) -> None:
        state.check(state_dict, self.streams)
        super().load_state(state_dict)

    @classproperty
    @override
    def _env_var_config(cls) -> dict[str, Any]:  # noqa: N805
        """Read TAP_TWILIO_USAGE_*; name the one that cannot be read, which the SDK does not."""
        try:
            return dict(super()._env_var_config)
        except ValueError:
            cls.append_builtin_config(cls.config_jsonschema)
            unreadable = settings.unreadable(cls.config_jsonschema, cls._env_var_prefix)
            raise SettingsError(unreadable) from None

    @override
    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Check the settings in words of our own: the SDK's would print a secret's value."""
        self.append_builtin_config(self.config_jsonschema)
        settings.complete(self._config)
        problems = settings.problems(self._config, self.config_jsonschema)
        if problems and raise_errors:
            raise SettingsError(problems)
        return problems or super()._validate_config(raise_errors=raise_errors)

    @override
    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        """End with the shell's exit code for the signal; the last STATE written is the one."""
        self.logger.warning(
            "stopped by signal %d; the next run goes on from the last STATE", signum
        )
        sys.exit(128 + signum)

    @classmethod
    @override
    def get_singer_command(cls) -> click.Command:
        return Command.like(super().get_singer_command(), cls.logger)
