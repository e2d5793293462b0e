"""The command line: the SDK's, where each failure that is not a bug is one line and exit code 1."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, TextIO

import click
from singer_sdk.exceptions import (
    ConfigValidationError,
    MapExpressionError,
    StreamMapConfigError,
)
from singer_sdk.plugin_base import SingerCommand

from tap_twilio_usage import signals
from tap_twilio_usage._compat import override
from tap_twilio_usage.errors import SettingsError, TapError
from tap_twilio_usage.signals import Stopped
from tap_twilio_usage.singer.writer import drop_stdout


class Command(SingerCommand):
    """The command `tap-twilio-usage`."""

    @classmethod
    def wrap(cls, command: click.Command, logger: logging.Logger) -> Command:
        """Return the SDK's command as one of this class, which checks the files that it reads."""
        for option in command.params:
            if option.name in {"catalog", "state"}:
                option.callback = _read_object
            elif option.name == "config":
                option.callback = _checked_config(option.callback)
        return cls(
            name=command.name,
            callback=command.callback,
            context_settings={**command.context_settings, "allow_extra_args": True},
            params=command.params,
            help=command.help,
            logger=logger,
        )

    @override
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if rest := super().parse_args(ctx, args):  # click's own message would repeat them
            ctx.fail(f"Got {len(rest)} arguments that belong to no option")
        return rest

    @override
    def main(self, *args: Any, **kwargs: Any) -> Any:
        logging.raiseExceptions = False  # its reports of a failing log would show secrets
        sys.excepthook = self.excepthook
        threading.excepthook = self._log_ignored
        sys.unraisablehook = self._log_ignored
        try:
            return self._run(*args, **kwargs)
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
            reason = error.strerror or type(error).__name__
            self._fail(f"{error.filename or 'stdout'}: {reason}")
        except MemoryError:
            self._fail(
                "no memory is left; raise its limit, or lower max_concurrent_requests; the next "
                "run resumes from the last STATE"
            )
        except Stopped as stopped:
            signals.ignore()  # the signal may have come before they were ignored
            self._log_last(
                f"stopped by signal {stopped.signum}; the next run resumes from the last STATE",
                level=logging.WARNING,
            )
            raise

    def _run(self, *args: Any, **kwargs: Any) -> Any:
        try:
            signals.handle()
            _buffer_stdout()
            return super().main(*args, **kwargs)
        except SystemExit:  # of click, also after success
            sys.stdout.flush()  # Python's own flush at exit reports a failure as a traceback
            raise
        except Exception as error:
            if stopped := signals.stopped_in(error):
                raise stopped from None
            raise
        finally:
            signals.ignore()

    def _log_ignored(self, failed: threading.ExceptHookArgs | sys.UnraisableHookArgs) -> None:
        """Log an error that ends nothing, such as one of `__del__`. The log redacts secrets."""
        with suppress(Exception):  # at exit, not even logging may be left
            error = failed.exc_value
            self.logger.warning("an error was ignored", exc_info=error)

    def _fail(self, *lines: str) -> None:
        self._log_last(*lines)
        sys.exit(1)

    def _log_last(self, *lines: str, level: int = logging.ERROR) -> None:
        """Log why the run ends. Requests that are still in progress log nothing after it.

        They may already wait for the lock of a handler, so it is not enough to disable logging.
        """
        handlers = [*self.logger.handlers, *logging.getLogger().handlers]
        with ExitStack() as locks:
            for handler in handlers:
                handler.acquire()
                locks.callback(handler.release)
            for line in lines:
                self.logger.log(level, line)
            for handler in handlers:
                handler.emit = _ignore  # type: ignore[assignment,method-assign]
        logging.disable(level)


def _ignore(_: logging.LogRecord) -> None:
    """Write nothing."""


def _buffer_stdout() -> None:
    """Undo PYTHONUNBUFFERED: without a buffer, Python loses the rest of an interrupted write."""
    if sys.stdout is None:
        raise TapError("stdout is closed; redirect it to a target or a file")
    if isinstance(getattr(sys.stdout, "buffer", None), io.RawIOBase):
        number = sys.stdout.fileno()
        sys.stdout = open(number, "w", encoding="utf-8", newline="\n", closefd=False)  # noqa: SIM115


def _read_object(_: click.Context, option: click.Parameter, file: TextIO | None) -> TextIO | None:
    """Return the text of the file as a file, after checking that it is what the option needs."""
    if file is None:
        return None
    try:
        with file:  # otherwise Python may warn of an open file after the last line
            text = file.read()
    except UnicodeDecodeError:
        text = ""
    value = _object(f"--{option.name}", file.name, text)
    if option.name == "catalog" and not _is_catalog(value):
        raise TapError(f"--catalog: {file.name} is not a catalog; use the output of --discover")
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
        paths = paths or ("ENV",)
        config = read(context, option, tuple(path for path in paths if path == "ENV"))
        for path in paths:
            if path != "ENV":  # read once: it may be a pipe
                try:
                    text = Path(path).read_text("utf-8")
                except UnicodeDecodeError:
                    text = ""
                except OSError as error:
                    raise TapError(f"--config: {path} cannot be read: {error.strerror}") from None
                config.config.update(_object("--config", path, text))
        return config

    return callback


def _object(option: str, path: str, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise TapError(f"{option}: {path} does not contain a JSON object")
    return value
