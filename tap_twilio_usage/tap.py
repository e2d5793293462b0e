"""The tap: from settings to streams."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from tap_twilio_usage._compat import override
from tap_twilio_usage.cli import Command
from tap_twilio_usage.config import access, dotenv_file, settings, text, validation
from tap_twilio_usage.config.schema import SCHEMA
from tap_twilio_usage.config.settings import Settings
from tap_twilio_usage.focus import columns as focus
from tap_twilio_usage.logs.redaction import Redactor
from tap_twilio_usage.logs.summary import Summary
from tap_twilio_usage.money import hierarchy
from tap_twilio_usage.singer.sdk import SdkTap
from tap_twilio_usage.singer.stream_maps import FlaggingMapper
from tap_twilio_usage.streams.base import TwilioStream
from tap_twilio_usage.streams.billing_groups import BILLING_STREAMS
from tap_twilio_usage.streams.discovery import discover
from tap_twilio_usage.streams.session import Session
from tap_twilio_usage.sync.read_state import read_state
from tap_twilio_usage.twilio import periods
from tap_twilio_usage.twilio.limits import Limits

if TYPE_CHECKING:
    import click
    from singer_sdk import Stream


class TapTwilioUsage(SdkTap):
    """Loads Twilio usage and spend, counting every dollar once."""

    name = "tap-twilio-usage"
    config_jsonschema = SCHEMA
    limits: ClassVar[Limits] = Limits()
    today = staticmethod(periods.today)

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

    @property
    def settings(self) -> Settings:
        """The settings, typed."""
        return self.session.settings

    @property
    def twilio_streams(self) -> list[TwilioStream]:
        """The streams, with what they have beside those of the SDK."""
        return [each for each in self.streams.values() if isinstance(each, TwilioStream)]

    @classmethod
    @override
    def load_variables(cls, prefix: str) -> None:
        dotenv_file.load(".env", prefix)  # of the working folder

    @override
    def check_settings(self, config: dict[str, Any]) -> list[str]:
        settings.complete(config)
        text.parse(config, self.config_jsonschema)
        self.redactor.install()
        return validation.problems(config, self.config_jsonschema)

    @override
    def discover_streams(self) -> list[Stream]:
        return [*discover(self, self.session)]

    @override
    def make_mapper(self) -> FlaggingMapper:
        mapper = FlaggingMapper(
            dict(self.config),
            self.logger,
            use_singer_decimal=self.settings.use_singer_decimal,
        )
        mapper.register_raw_streams_from_catalog(self.catalog)
        streams = {*self.streams, *BILLING_STREAMS}
        if self.settings.focus:
            schema = focus.schema_of(self.settings.focus_version)
            mapper.register_raw_stream_schema(focus.STREAM, schema, focus.KEY)
            streams.add(focus.STREAM)
        mapper.refuse_unknown_streams(streams)
        return mapper

    @override
    def load_state(self, state: dict[str, Any]) -> None:
        self.session.state = read_state(state, {*self.streams, *BILLING_STREAMS})

    @override
    def state_message(self, streams: Iterable[str]) -> bytes:
        return self.session.state.message(streams)

    @override
    def test(self) -> None:
        with self.session.heartbeat:
            access.read_one_of_each(self)

    @override
    @contextmanager
    def around_sync(self) -> Iterator[None]:
        hierarchy.shipped()  # read its file before connections may leave none to open
        with (summary := Summary()).of(self.logger):
            access.check(self)
            if self.session.state:
                self.state_writer.write_state({})
            with self.session.heartbeat:
                yield
            selected = [stream for stream in self.twilio_streams if stream.selected]
            for stream in selected:
                stream.summarize()
        selected.sort(key=lambda stream: stream.name != "usage_records_daily")
        amounts = next(filter(None, ([*stream.summary()] for stream in selected)), [])
        retried = len(self.session.heartbeat.retried_requests)
        for line in summary.lines(self.message_writer.rows_by_stream, amounts, retried):
            self.logger.info("%s", line)
        self.session.failures.end()

    @classmethod
    @override
    def get_singer_command(cls) -> click.Command:
        return Command.wrap(super().get_singer_command(), cls.logger)
