"""The tap: its settings, its streams, its command."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import Stream, Tap
from singer_sdk.helpers._classproperty import classproperty
from singer_sdk.helpers.capabilities import PluginCapabilities, TapCapabilities
from singer_sdk.tap_base import CliTestOptionValue

from tap_twilio_usage._compat import override
from tap_twilio_usage.cli import Command
from tap_twilio_usage.config import access as preflight
from tap_twilio_usage.config import settings
from tap_twilio_usage.config.settings import Settings
from tap_twilio_usage.errors import SettingsError
from tap_twilio_usage.focus import columns as focus_columns
from tap_twilio_usage.focus.columns import STREAM as FOCUS
from tap_twilio_usage.logs.heartbeat import Heartbeat
from tap_twilio_usage.logs.redaction import Redactor
from tap_twilio_usage.signals import Stopped
from tap_twilio_usage.singer.stream_maps import FlaggingMapper
from tap_twilio_usage.singer.writer import LineWriter, States
from tap_twilio_usage.streams.base import TwilioStream
from tap_twilio_usage.streams.billing_groups import BILLING_STREAMS, BillingGroupRecordsStream
from tap_twilio_usage.streams.categories import CategoriesStream
from tap_twilio_usage.streams.focus import UsageRecordsAndFocusStream
from tap_twilio_usage.streams.lists import AccountsStream, UsageTriggersStream
from tap_twilio_usage.streams.usage_records import UsageRecordsStream
from tap_twilio_usage.sync import state
from tap_twilio_usage.sync.failures import Failures
from tap_twilio_usage.twilio import accounts, auth
from tap_twilio_usage.twilio.accounts import Accounts
from tap_twilio_usage.twilio.billing_groups import BillingGroup
from tap_twilio_usage.twilio.client import Client
from tap_twilio_usage.twilio.errors import ApiError
from tap_twilio_usage.twilio.periods import DAILY, GRANULARITIES, Granularity

if TYPE_CHECKING:
    from types import FrameType

    import click


class TapTwilioUsage(Tap):
    """Loads Twilio usage and spend, counting every dollar once."""

    name = "tap-twilio-usage"
    config_jsonschema = settings.SCHEMA
    message_writer: LineWriter
    message_writer_class = LineWriter
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

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take what the SDK gives; ask for nothing yet."""
        super().__init__(*args, **kwargs)
        self._state_writer = States(self.message_writer)

    @cached_property
    def settings(self) -> Settings:
        """The configuration, typed."""
        return Settings.from_config(self.config)

    @cached_property
    def mask(self) -> Redactor:
        """What keeps secrets out of the log: of the settings, and tokens once there are any."""
        return Redactor(settings.secrets(self._config))

    @cached_property
    def watch(self) -> Heartbeat:
        """What says every now and then what is waited for."""
        return Heartbeat(self.logger)

    @cached_property
    def failures(self) -> Failures:
        """The accounts and billing groups that failed though the others went on."""
        return Failures(self.logger)

    @cached_property
    def client(self) -> Client:
        """Twilio's API with the account's credentials."""
        return self._client("api_url", auth.basic(self.settings))

    @cached_property
    def accounts(self) -> Accounts:
        """The accounts to read."""
        found = accounts.find(self.client, self.settings)
        for sid in found.missing:
            error = ApiError(
                "account_sids names it, but Twilio does not list it: mistyped, or closed for "
                "more than 30 days; take it out"
            )
            self.failures.add("accounts", sid, error)
        return found

    @cached_property
    def billing_groups(self) -> list[BillingGroup]:
        """The billing groups of the settings."""
        settings = self.settings
        oauth = auth.OAuth(
            self._client("oauth_token_url", auth.Unsigned()),
            settings.client_id or "",
            settings.client_secret or "",
        )
        client = self._client("billing_api_url", oauth)
        return [
            BillingGroup(client, group_id, number, settings.page_size)
            for number, group_id in enumerate(settings.billing_group_ids, 1)
        ]

    def _client(self, setting: str, credentials: auth.Credentials) -> Client:
        return Client(
            getattr(self.settings, setting),
            credentials,
            setting=setting,
            mask=self.mask,
            watch=self.watch,
            connections=self.settings.max_concurrent_requests,
            logger=self.logger,
        )

    @override
    def discover_streams(self) -> list[Stream]:
        streams: list[Stream] = [
            AccountsStream(self),
            CategoriesStream(self),
            UsageTriggersStream(self),
            *(self._usage_records(each) for each in GRANULARITIES),
        ]
        if self.config.get("billing_group_ids"):
            streams += [
                BillingGroupRecordsStream(self, name, granularity)
                for name, granularity in BILLING_STREAMS.items()
            ]
        if settings.has_only_oauth(self.config):
            for stream in streams:
                stream.selected_by_default &= stream.name in BILLING_STREAMS
        return streams

    def _usage_records(self, granularity: Granularity) -> UsageRecordsStream:
        if granularity is DAILY and self.config.get("focus"):
            return UsageRecordsAndFocusStream(self, granularity)
        return UsageRecordsStream(self, granularity)

    @override
    def setup_mapper(self) -> None:
        self._mapper = FlaggingMapper(plugin_config=dict(self.config), logger=self.logger)
        self._mapper.register_raw_streams_from_catalog(self.catalog)
        streams = {*self.streams, *BILLING_STREAMS}
        if self.config.get("focus"):
            self._mapper.register_raw_stream_schema(FOCUS, focus_columns.SCHEMA, focus_columns.KEY)
            streams.add(FOCUS)
        self._mapper.refuse_unknown_streams(streams)

    @override
    def load_state(self, state_dict: dict[str, Any]) -> None:
        state.check(state_dict, {*self.streams, *BILLING_STREAMS})
        super().load_state(state_dict)

    @override  # type: ignore[misc]  # final, but what it does must come between these two
    def sync_all(self) -> None:
        """Load the selected streams, if the credentials fit all of them.

        Raises TapError: before the first request where something cannot work, at the end where
        some accounts or billing groups failed.
        """
        preflight.check(self)
        super()._setup_signal_handlers()
        with self.watch:
            super().sync_all()
        for stream in self.streams.values():
            if isinstance(stream, TwilioStream) and stream.selected:
                stream.summarize()
        if retries := len(self.watch.retried_requests):
            self.logger.info("requests that were tried again: %d", retries)
        self.failures.end()

    @classproperty
    @override
    def _env_var_config(cls) -> dict[str, Any]:  # noqa: N805
        """Read TAP_TWILIO_USAGE_*; name the one that cannot be read, which the SDK does not."""
        try:
            return dict(super()._env_var_config)
        except ValueError:
            cls.append_builtin_config(cls.config_jsonschema)
            unreadable = settings.unreadable(cls.config_jsonschema, cls._env_var_prefix)
            raise SettingsError([*unreadable]) from None

    @override
    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Check the settings in words of our own: the SDK's would print a secret's value."""
        self.append_builtin_config(self.config_jsonschema)
        settings.complete(self._config)
        problems = settings.problems(self._config, self.config_jsonschema)
        if problems and raise_errors:
            raise SettingsError(problems)
        self.mask.install()
        return problems or super()._validate_config(raise_errors=raise_errors)

    @override
    def _setup_signal_handlers(self) -> None:
        """Do nothing yet: until something is written, those of the command will do."""

    @override
    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        """End, not in the middle of a line; the last STATE written is the one to go on from."""
        self.message_writer.stop(Stopped(signum))

    @classmethod
    @override
    def cb_test(cls, ctx: click.Context, param: click.Option, value: str) -> None:
        """Say of each stream whether it can be read: the SDK's would stop at the first."""
        if value != CliTestOptionValue.All.value:
            super().cb_test(ctx, param, value)
            return
        given = ctx.params["config"]
        tap = cls(config=given.config, parse_env_config=given.parse_env)
        with tap.watch:
            preflight.read_one_of_each(tap)
        ctx.exit()

    @classmethod
    @override
    def get_singer_command(cls) -> click.Command:
        return Command.wrap(super().get_singer_command(), cls.logger)
