"""The command line: the SDK's, with each failure that is no bug as one line and exit code 1."""

from __future__ import annotations

import io
import json
import logging
import signal
import sys
from pathlib import Path
from typing import Any, TextIO

import click
from singer_sdk.exceptions import (
    ConfigValidationError,
    MapExpressionError,
    StreamMapConfigError,
)
from singer_sdk.plugin_base import SingerCommand

from tap_twilio_usage._compat import override
from tap_twilio_usage.errors import SettingsError, TapError
from tap_twilio_usage.signals import Stopped
from tap_twilio_usage.singer.writer import drop_stdout


class Command(SingerCommand):
    """What `tap-twilio-usage` runs."""

    @classmethod
    def wrap(cls, command: click.Command, logger: logging.Logger) -> Command:
        """Give the SDK's command as one of this class, with checks of the files it reads."""
        for option in command.params:
            if option.name in {"catalog", "state"}:
                option.callback = _read_object
            elif option.name == "config":
                option.callback = _checked_config(option.callback)
        return cls(
            name=command.name,
            callback=command.callback,
            context_settings=command.context_settings,
            params=command.params,
            help=command.help,
            logger=logger,
        )

    @override
    def main(self, *args: Any, **kwargs: Any) -> Any:
        logging.raiseExceptions = False  # its reports of a log that fails know no mask
        sys.excepthook = self.excepthook
        _handle_signals(_stop)
        try:
            _buffer_stdout()
            return super().main(*args, **kwargs)
        except SettingsError as error:
            self._fail(*error.problems)
        except ConfigValidationError as error:
            self._fail(*error.errors)
        except (MapExpressionError, StreamMapConfigError) as error:
            self._fail(f"stream_maps: {error}")
        except TapError as error:
            self._fail(str(error))
        except OSError as error:
            drop_stdout()  # which may be what failed
            self._fail(f"{error.filename or 'stdout'}: {error.strerror}")
        except Stopped as stopped:
            self._say_last(
                f"stopped by signal {stopped.signum}; the next run goes on from the last STATE",
                level=logging.WARNING,
            )
            raise
        finally:
            # What is left takes no time; cut off there, a complete run would count as failed.
            _handle_signals(signal.SIG_IGN)

    def _fail(self, *lines: str) -> None:
        self._say_last(*lines)
        sys.exit(1)

    def _say_last(self, *lines: str, level: int = logging.ERROR) -> None:
        """Say why it ends; requests that are still under way add nothing to that."""
        logging.disable(level - 1)
        for line in lines:
            self.logger.log(level, line)
        logging.disable(level)


def _handle_signals(handler: Any) -> None:
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, handler)


def _stop(signum: int, _: object) -> None:
    raise Stopped(signum)


def _buffer_stdout() -> None:
    """Undo PYTHONUNBUFFERED: without a buffer, Python drops what a signal cuts off of a write."""
    if sys.stdout is None:
        raise TapError("stdout is closed: there is nowhere to write to")
    if isinstance(getattr(sys.stdout, "buffer", None), io.RawIOBase):
        number = sys.stdout.fileno()
        sys.stdout = open(number, "w", encoding="utf-8", newline="\n", closefd=False)  # noqa: SIM115


def _read_object(_: click.Context, option: click.Parameter, file: TextIO | None) -> TextIO | None:
    """Give the file's text as a file, once it is known to hold what the option needs."""
    if file is None:
        return None
    try:
        with file:  # left open, Python may warn of it after the last line
            text = file.read()
    except UnicodeDecodeError:
        text = ""
    value = _object(f"--{option.name}", file.name, text)
    if option.name == "catalog" and not _is_catalog(value):
        raise TapError(f"--catalog: {file.name} is none: use what --discover prints")
    return io.StringIO(text)


def _is_catalog(value: dict[str, Any]) -> bool:
    streams = value.get("streams")
    return isinstance(streams, list) and all(map(_is_stream, streams))


def _is_stream(stream: Any) -> bool:
    if not isinstance(stream, dict) or not isinstance(stream.get("schema"), dict):
        return False
    properties, metadata = stream["schema"].get("properties"), stream.get("metadata", [])
    return (
        isinstance(stream.get("tap_stream_id"), str)
        and isinstance(stream.get("replication_key"), str | None)
        and isinstance(properties, dict)
        and all(isinstance(described, dict) for described in properties.values())
        and isinstance(metadata, list)
        and all(
            isinstance(entry, dict)
            and isinstance(entry.get("breadcrumb"), list)
            and isinstance(entry.get("metadata"), dict)
            for entry in metadata
        )
    )


def _checked_config(read: Any) -> Any:
    def callback(context: click.Context, option: click.Parameter, paths: tuple[str, ...]) -> Any:
        config = read(context, option, tuple(path for path in paths if path == "ENV"))
        for path in paths:
            if path != "ENV":  # read once: it may be a pipe
                try:
                    text = Path(path).read_text("utf-8")
                except (OSError, ValueError):
                    raise TapError(f"--config: {path} cannot be read") from None
                config.config.update(_object("--config", path, text))
        return config

    return callback


def _object(option: str, path: str, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise TapError(f"{option}: {path} holds no JSON object")
    return value
