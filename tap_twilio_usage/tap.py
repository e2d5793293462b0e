"""The tap: from settings to streams."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import Stream
from singer_sdk.helpers.capabilities import PluginCapabilities, TapCapabilities
from singer_sdk.tap_base import CliTestOptionValue

from tap_twilio_usage._compat import override
from tap_twilio_usage.cli import Command
from tap_twilio_usage.config import access, settings, validation
from tap_twilio_usage.config.schema import SCHEMA
from tap_twilio_usage.config.settings import Settings
from tap_twilio_usage.focus import columns as focus
from tap_twilio_usage.logs.redaction import Redactor
from tap_twilio_usage.logs.wording import count
from tap_twilio_usage.singer.sdk import SdkTap
from tap_twilio_usage.singer.stream_maps import FlaggingMapper
from tap_twilio_usage.streams.base import TwilioStream
from tap_twilio_usage.streams.billing_groups import BILLING_STREAMS, BillingGroupRecordsStream
from tap_twilio_usage.streams.categories import CategoriesStream
from tap_twilio_usage.streams.focus import UsageRecordsAndFocusStream
from tap_twilio_usage.streams.lists import AccountsStream, UsageTriggersStream
from tap_twilio_usage.streams.session import Session
from tap_twilio_usage.streams.usage_records import UsageRecordsStream
from tap_twilio_usage.twilio import periods
from tap_twilio_usage.twilio.limits import Limits
from tap_twilio_usage.twilio.periods import DAILY, GRANULARITIES, Granularity

if TYPE_CHECKING:
    import click


class TapTwilioUsage(SdkTap):
    """Loads Twilio usage and spend, counting every dollar once."""

    name = "tap-twilio-usage"
    config_jsonschema = SCHEMA
    limits: ClassVar[Limits] = Limits()
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

    @staticmethod
    def today() -> date:
        """Return the day it is, GMT."""
        return periods.today()

    @cached_property
    def redactor(self) -> Redactor:
        """What keeps secrets out of the log."""
        return Redactor(validation.secrets(self._config))

    @cached_property
    def session(self) -> Session:
        """What the streams share."""
        return Session(
            Settings.from_config(self.config),
            redactor=self.redactor,
            logger=self.logger,
            limits=self.limits,
            today=self.today,
        )

    @override
    def check_settings(self, config: dict[str, Any]) -> list[str]:
        settings.complete(config)
        self.redactor.install()
        return validation.problems(config, self.config_jsonschema)

    @override
    def discover_streams(self) -> list[Stream]:
        streams: list[TwilioStream] = [
            AccountsStream(self, self.session),
            CategoriesStream(self, self.session),
            UsageTriggersStream(self, self.session),
            *(self._usage_records(each) for each in GRANULARITIES),
        ]
        if self.session.settings.billing_group_ids:
            streams += [
                BillingGroupRecordsStream(self, self.session, name, granularity)
                for name, granularity in BILLING_STREAMS.items()
            ]
        if access.has_only_oauth(self.config):
            for stream in streams:
                stream.selected_by_default &= stream.name in BILLING_STREAMS
        return [*streams]

    def _usage_records(self, granularity: Granularity) -> UsageRecordsStream:
        with_focus = granularity is DAILY and self.session.settings.focus
        kind = UsageRecordsAndFocusStream if with_focus else UsageRecordsStream
        return kind(self, self.session, granularity)

    @override
    def make_mapper(self) -> FlaggingMapper:
        mapper = FlaggingMapper(plugin_config=dict(self.config), logger=self.logger)
        mapper.register_raw_streams_from_catalog(self.catalog)
        streams = {*self.streams, *BILLING_STREAMS}
        if self.session.settings.focus:
            mapper.register_raw_stream_schema(focus.STREAM, focus.SCHEMA, focus.KEY)
            streams.add(focus.STREAM)
        mapper.refuse_unknown_streams(streams)
        return mapper

    @override
    def load_state(self, state: dict[str, Any]) -> None:
        self.session.state.load(state, {*self.streams, *BILLING_STREAMS})

    @override
    def state_message(self, streams: Iterable[str]) -> bytes:
        for name in streams:
            self.session.state.of(name)
        return self.session.state.message()

    @property
    def settings(self) -> Settings:
        """The settings, typed."""
        return self.session.settings

    @property
    def twilio_streams(self) -> list[TwilioStream]:
        """The streams, with what they have beside those of the SDK."""
        return [each for each in self.streams.values() if isinstance(each, TwilioStream)]

    @override
    @contextmanager
    def around_sync(self) -> Iterator[None]:
        access.check(self)
        if self.session.state:
            self.state_writer.write_state({})
        with self.session.heartbeat:
            yield
        for stream in self.twilio_streams:
            if stream.selected:
                stream.summarize()
        if retries := len(self.session.heartbeat.retried_requests):
            self.logger.info("%s retried", count(retries, "request"))
        self.session.failures.end()

    @classmethod
    @override
    def cb_test(cls, ctx: click.Context, param: click.Option, value: str) -> None:
        """Say of each stream whether it can be read. The SDK would stop at the first."""
        if value != CliTestOptionValue.All.value:
            super().cb_test(ctx, param, value)
            return
        given = ctx.params["config"]
        tap = cls(config=given.config, parse_env_config=given.parse_env)
        with tap.session.heartbeat:
            access.read_one_of_each(tap)
        ctx.exit()

    @classmethod
    @override
    def get_singer_command(cls) -> click.Command:
        return Command.wrap(super().get_singer_command(), cls.logger)
