"""All that the tap uses of the SDK below its documented surface, each with its reason.

No other module imports a private module of the SDK or overrides a hook whose name begins with an
underscore. `tests/test_sdk.py` says in a sentence what changed when a release changes one of them.
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import Stream, Tap
from singer_sdk.batch import Batcher
from singer_sdk.configuration._dict_config import parse_environment_config
from singer_sdk.helpers._classproperty import classproperty
from singer_sdk.helpers._state import StateWriter
from singer_sdk.helpers.capabilities import PluginCapabilities, TapCapabilities
from singer_sdk.tap_base import CliTestOptionValue

from tap_twilio_usage import signals
from tap_twilio_usage._compat import override
from tap_twilio_usage.errors import SettingsError
from tap_twilio_usage.singer.writer import LineWriter

if TYPE_CHECKING:
    import click
    from singer_sdk import metrics
    from singer_sdk.helpers.types import Context
    from singer_sdk.mapper import PluginMapper
    from singer_sdk.singerlib import SchemaMessage


def unreadable_variables(schema: Mapping[str, Any], prefix: str) -> Iterator[str]:
    """Yield a line for each environment variable whose text does not fit the setting's type."""
    for name, described in schema["properties"].items():
        try:
            # The SDK's own reading, so that both agree on what can be read.
            parse_environment_config({"properties": {name: described}}, prefix)
        except ValueError:
            variable, kind = f"{prefix}{name.upper()}", described["type"][0]
            yield f"{name}: the environment variable {variable} is not a valid {kind}; use JSON"


class TypedStateWriter(StateWriter):
    """Writes STATE messages from the tap's own typed state, if they differ from the last one.

    The SDK keeps a dictionary of its own, which the tap leaves empty but for names of streams. For
    hundreds of accounts, the SDK's two deep copies of it would take a seventh of the time.
    """

    def __init__(self, tap: SdkTap) -> None:
        """Write nothing yet."""
        self._tap = tap
        self._last = b""

    @override
    def write_state(self, state: Mapping[str, Any]) -> None:
        line = self._tap.state_message(state.get("bookmarks", ()))
        if line != self._last:
            self._tap.message_writer.write_lines(line)
            self._last = line


class SdkTap(Tap):
    """The SDK's tap, with its private hooks turned into public methods."""

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
        """Take what the SDK passes."""
        super().__init__(*args, **kwargs)
        # The SDK has no parameter for it.
        self._state_writer = TypedStateWriter(self)

    @abstractmethod
    def check_settings(self, config: dict[str, Any]) -> list[str]:
        """Complete the configuration in place and return what is wrong with it, a line each."""

    @abstractmethod
    def make_mapper(self) -> PluginMapper:
        """Return the mapper of all streams."""

    @abstractmethod
    def state_message(self, streams: Iterable[str]) -> bytes:
        """Return the STATE message, with an entry for each of these streams at least."""

    @abstractmethod
    def test(self) -> None:
        """Log of each stream whether it can be read. Raises TapError if a selected one cannot."""

    @abstractmethod
    def around_sync(self) -> AbstractContextManager[None]:
        """Return what does whatever comes before the first message and after the last one."""

    @override
    def setup_mapper(self) -> None:
        self._mapper = self.make_mapper()

    @classmethod
    @override
    def cb_test(cls, ctx: click.Context, param: click.Option, value: str) -> None:
        """Test all streams in our own way: the SDK's would stop at the first failure."""
        if value != CliTestOptionValue.All.value:
            super().cb_test(ctx, param, value)
            return
        given = ctx.params["config"]
        cls(config=given.config, parse_env_config=given.parse_env).test()
        ctx.exit()

    @classproperty
    @override
    def _env_var_config(cls) -> dict[str, Any]:  # noqa: N805
        """Read TAP_TWILIO_USAGE_*; name the variable that cannot be read: the SDK does not."""
        try:
            return dict(super()._env_var_config)
        except ValueError:
            cls.append_builtin_config(cls.config_jsonschema)
            lines = unreadable_variables(cls.config_jsonschema, cls._env_var_prefix)
            raise SettingsError([*lines]) from None

    @override
    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Check the settings in our own words: the SDK's would print a secret's value."""
        self.append_builtin_config(self.config_jsonschema)
        problems = self.check_settings(self._config)
        if problems and raise_errors:
            raise SettingsError(problems)
        return problems or super()._validate_config(raise_errors=raise_errors)

    @override
    def _setup_signal_handlers(self) -> None:
        """Do nothing: those of `signals` exit as a shell expects, those of the SDK with 0."""

    @override  # type: ignore[misc]  # final, but something must come before and after it
    def sync_all(self) -> None:
        """Load the selected streams. Raises TapError."""
        with self.around_sync():
            signals.handle(self.message_writer.stop)
            super().sync_all()


class SdkStream(Stream):
    """The SDK's stream, whose state is the tap's own and whose rows may go out many at a time."""

    _tap: SdkTap
    contexts: list[dict[str, Any]] | None = None

    def prepare(self) -> None:
        """Ask for what has to be known before the first record, such as `contexts`."""

    @property
    @override
    def partitions(self) -> list[dict[str, Any]] | None:
        """The contexts, once `prepare` has found them out."""
        return self.contexts

    @override  # type: ignore[misc]  # final, but the SDK takes `partitions` for a plain property
    def sync(self, context: Context | None = None) -> None:
        if context is None:
            self.prepare()
        super().sync(context)

    @override
    def log(self, message: str, *args: Any, level: int = logging.INFO, **kwargs: Any) -> None:
        # The SDK's only error, "unhandled", would stand before the line that says what is wrong.
        if level < logging.ERROR:
            super().log(message, *args, level=level, **kwargs)

    @override
    def get_record_counter(self, **kwargs: Any) -> metrics.Counter:
        self._counter = super().get_record_counter(**kwargs)
        return self._counter

    def write_lines(self, lines: bytes, records: int) -> None:
        """Write the messages of so many records, and count them as the SDK does its own."""
        self._tap.message_writer.write_lines(lines)
        self._counter.increment(records)
        self.state_manager.is_flushed = False

    def write_state(self) -> None:
        """Write the state. In a batch the SDK does so after it: the rows may not be out yet."""
        if not self.get_batch_config(self.config):
            self._tap.state_writer.write_state(self.tap_state)

    @override
    def get_batches(self, batch_config: Any, context: Context | None = None) -> Iterable[Any]:
        """Yield batches of the records as they would be emitted: selected, mapped, flagged."""
        batcher = Batcher(tap_name=self.tap_name, stream_name=self.name, batch_config=batch_config)
        rows = (
            dict(message.record)
            for record in self._sync_records(context, write_messages=False)
            for message in self._generate_record_messages(record)
        )
        for manifest in batcher.get_batches(records=rows):
            yield batch_config.encoding, manifest

    def more_schemas(self) -> Iterator[SchemaMessage]:
        """Yield the SCHEMA messages of what is made of the same records."""
        yield from ()

    @override
    def _generate_schema_messages(self) -> Generator[SchemaMessage, None, None]:
        yield from super()._generate_schema_messages()
        yield from self.more_schemas()

    @override
    def _increment_stream_state(self, latest_record: Any, *, context: Any = None) -> None:
        """Do nothing: the bookmark moves by whole periods."""

    @override
    def _write_starting_replication_value(self, context: Any) -> None:
        """Do nothing: the first day is worked out by the stream."""
