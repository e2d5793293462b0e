"""The undocumented parts of the SDK that the tap uses, each with its reason.

No other module imports a private module of the SDK or overrides a method whose name begins with an
underscore. If a release of the SDK changes one of them, `tests/test_sdk.py` says which.
"""

from __future__ import annotations

import logging
import math
import os
import time
from abc import abstractmethod
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from itertools import chain
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
from tap_twilio_usage.singer.schemas import for_all_targets
from tap_twilio_usage.singer.writer import LineWriter

if TYPE_CHECKING:
    import click
    from singer_sdk import metrics
    from singer_sdk.helpers.types import Context
    from singer_sdk.mapper import PluginMapper
    from singer_sdk.singerlib import SchemaMessage


# In place of .env. The SDK would search the folders above its own, and override what is exported.
NO_FILE = os.devnull


def unreadable_variables(schema: Mapping[str, Any], prefix: str) -> Iterator[str]:
    """Yield an error for each environment variable that does not have the type of its setting."""
    for name, described in schema["properties"].items():
        try:
            # Parsed by the SDK, so that both accept the same values.
            parse_environment_config({"properties": {name: described}}, prefix, NO_FILE)
        except ValueError:
            variable, kind = f"{prefix}{name.upper()}", described["type"][0]
            yield f"{name}: the environment variable {variable} is not a valid {kind}; use JSON"


LONGEST_WITHOUT_STATE = 5.0  # seconds


METRICS = "TAP_TWILIO_USAGE_METRICS"  # an environment variable, as TAP_TWILIO_USAGE_LOGLEVEL is
# What the SDK logs at INFO of every run, of each variable and each stream that is not selected.
NOISE = {
    "Parsing '%s' config from env variable '%s'.",
    "Parsing env var for settings config...",
    "Skipping parse of env var settings...",
    "Skipping deselected stream '%s'.",
}


def _is_worth_reading(record: logging.LogRecord) -> bool:
    return record.msg not in NOISE or logging.root.isEnabledFor(logging.DEBUG)


# Of variables, which are read before there is a tap.
logging.getLogger(parse_environment_config.__module__).addFilter(_is_worth_reading)


class TypedStateWriter(StateWriter):
    """Writes the tap's typed state as STATE messages, each only if it differs from the last one.

    The SDK has a state dictionary of its own, in which the tap keeps only the names of streams:
    with hundreds of accounts, the SDK's two deep copies of it would take a seventh of the run.
    """

    def __init__(self, tap: SdkTap) -> None:
        """Start without a last message."""
        self._tap = tap
        self._last = b""
        self._written = 0  # bytes
        self._written_at = -math.inf

    @property
    def is_due(self) -> bool:
        """Whether another STATE keeps their bytes below those of the records, or comes late."""
        others = self._tap.message_writer.bytes_written - self._written
        is_late = time.monotonic() - self._written_at >= LONGEST_WITHOUT_STATE
        return self._written + len(self._last) <= others or is_late

    @override
    def write_state(self, state: Mapping[str, Any]) -> None:
        line = self._tap.state_message(state.get("bookmarks", ()))
        if line != self._last:
            self._tap.message_writer.write_lines(line)
            self._last = line
            self._written += len(line)
            self._written_at = time.monotonic()


class SdkTap(Tap):
    """The SDK's `Tap`, with its private hooks as public abstract methods."""

    message_writer: LineWriter
    message_writer_class = LineWriter
    # Not ACTIVATE_VERSION: a target that deletes old versions would delete history.
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
        """Take the arguments of the SDK's `Tap`."""
        self.logger.addFilter(_is_worth_reading)
        super().__init__(*args, **kwargs)
        self._silence_metrics()
        # The SDK has no parameter for the state writer.
        self._state_writer = self.states = TypedStateWriter(self)

    def _silence_metrics(self) -> None:
        """Log no METRIC lines, unless somebody wants them."""
        is_wanted = (
            os.environ.get(METRICS, "").lower() in {"1", "true", "yes"}
            or self.metrics_logger.handlers
            or logging.root.isEnabledFor(logging.DEBUG)
        )
        if not is_wanted:
            self.metrics_logger.setLevel(logging.WARNING)

    @classmethod
    @abstractmethod
    def load_variables(cls, prefix: str) -> None:
        """Add to the environment what is not exported; settings begin with the prefix."""

    @abstractmethod
    def check_settings(self, config: dict[str, Any]) -> list[str]:
        """Complete the configuration in place and return its errors, one line each."""

    @abstractmethod
    def make_mapper(self) -> PluginMapper:
        """Return the mapper of all streams."""

    @abstractmethod
    def state_message(self, streams: Iterable[str]) -> bytes:
        """Return the STATE message, with an entry for at least these streams."""

    @abstractmethod
    def test(self) -> None:
        """Log for each stream whether it can be read. Raises TapError if a selected one cannot."""

    @abstractmethod
    def around_sync(self) -> AbstractContextManager[None]:
        """Return a context manager for the work before the first and after the last message."""

    @override
    def setup_mapper(self) -> None:
        self._mapper = self.make_mapper()

    @classmethod
    @override
    def cb_test(cls, ctx: click.Context, param: click.Option, value: str) -> None:
        """Test all streams with `test`, because the SDK stops at the first failure."""
        if value != CliTestOptionValue.All.value:
            super().cb_test(ctx, param, value)
            return
        given = ctx.params["config"]
        cls(config=given.config, parse_env_config=given.parse_env).test()
        ctx.exit()

    @classmethod
    def environment(cls) -> dict[str, Any]:
        """Return the settings of TAP_TWILIO_USAGE_* and .env. Raises SettingsError."""
        found: dict[str, Any] = cls._env_var_config
        return found

    @classproperty
    @override
    def _env_var_config(cls) -> dict[str, Any]:  # noqa: N805
        """Read TAP_TWILIO_USAGE_*. Unlike the SDK's, the error names the invalid variable.

        An empty variable counts as not given. For the SDK it would be false, as is every text that
        is not true: booleans and lists stay text, for `check_settings` to read.
        """
        prefix, schema = cls._env_var_prefix, cls.config_jsonschema
        cls.append_builtin_config(schema)
        cls.load_variables(prefix)
        given = {
            name: described
            for name, described in schema["properties"].items()
            if os.environ.get(f"{prefix}{name.upper()}", "").strip()
        }
        text = {
            name: os.environ[f"{prefix}{name.upper()}"]
            for name, described in given.items()
            if {"array", "boolean"} & {*described["type"]}
        }
        typed = {"properties": {name: given[name] for name in given.keys() - text.keys()}}
        try:
            return {**parse_environment_config(typed, prefix, NO_FILE), **text}
        except ValueError:
            raise SettingsError([*unreadable_variables(typed, prefix)]) from None

    @override
    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Check the settings with `check_settings`, because the SDK's errors contain the values.

        Also for discovery, which works without any setting, but not with a wrong one.
        """
        self.append_builtin_config(self.config_jsonschema)
        if problems := self.check_settings(self._config):
            raise SettingsError(problems)
        return super()._validate_config(raise_errors=raise_errors)

    @override
    def _setup_signal_handlers(self) -> None:
        """Do nothing: the SDK's handlers exit with 0. `signals` has handlers that do not."""

    @override  # type: ignore[misc]  # final, but the tap has work to do before and after it
    def sync_all(self) -> None:
        """Load the selected streams. Raises TapError."""
        signals.handle(self.message_writer.stop)
        with self.around_sync():
            super().sync_all()


class SdkStream(Stream):
    """The SDK's `Stream`, with the tap's own state and a method to write many rows at once."""

    _tap: SdkTap
    contexts: list[dict[str, Any]] | None = None

    def prepare(self) -> None:
        """Fetch what is needed before the first record, such as `contexts`."""

    @property
    @override
    def partitions(self) -> list[dict[str, Any]] | None:
        """The contexts, once `prepare` has set them."""
        return self.contexts

    @override  # type: ignore[misc]  # final, but the SDK has no hook before it reads `partitions`
    def sync(self, context: Context | None = None) -> None:
        if context is None:
            self.prepare()
        super().sync(context)

    @override
    def log(self, message: str, *args: Any, level: int = logging.INFO, **kwargs: Any) -> None:
        # The SDK's only error, "unhandled", would come before the line that says what is wrong.
        if level < logging.ERROR:
            # Its lines at INFO are about each account; the tap's own say more.
            level = logging.DEBUG if level == logging.INFO else level
            super().log(message, *args, level=level, **kwargs)

    @override
    def get_record_counter(self, **kwargs: Any) -> metrics.Counter:
        self._counter = super().get_record_counter(**kwargs)
        return self._counter

    def write_lines(self, lines: bytes, records: int) -> None:
        """Write encoded messages, and count their records in the SDK's metrics."""
        self._tap.message_writer.write_lines(lines)
        self._tap.message_writer.rows_by_stream[self.name] += records
        self._counter.increment(records)
        self.state_manager.is_flushed = False

    @property
    def is_state_due(self) -> bool:
        """Whether another STATE is worth its bytes."""
        return self._tap.states.is_due

    def write_state(self) -> None:
        """Write the state. With batches the SDK does so after each batch, once its rows are out."""
        if not self.get_batch_config(self.config):
            self._tap.state_writer.write_state(self.tap_state)

    @override
    def get_batches(self, batch_config: Any, context: Context | None = None) -> Iterable[Any]:
        """Yield batches of records after selection and stream maps, unlike the SDK's."""
        batcher = Batcher(tap_name=self.tap_name, stream_name=self.name, batch_config=batch_config)
        counted = self._tap.message_writer.rows_by_stream

        def rows() -> Iterator[dict[str, Any]]:
            for record in self._sync_records(context, write_messages=False):
                for message in self._generate_record_messages(record):
                    counted[self.name] += 1
                    yield dict(message.record)

        for manifest in batcher.get_batches(records=rows()):
            yield batch_config.encoding, manifest

    def more_schemas(self) -> Iterator[SchemaMessage]:
        """Yield the SCHEMA messages of other streams that this stream emits."""
        yield from ()

    @override
    def _generate_schema_messages(self) -> Generator[SchemaMessage, None, None]:
        for message in chain(super()._generate_schema_messages(), self.more_schemas()):
            message.schema = for_all_targets(message.schema)
            yield message

    @override
    def _increment_stream_state(self, latest_record: Any, *, context: Any = None) -> None:
        """Do nothing: the tap moves bookmarks itself, by whole periods."""

    @override
    def _write_starting_replication_value(self, context: Any) -> None:
        """Do nothing: the stream determines the first day itself."""
