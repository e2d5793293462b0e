"""Writes messages to stdout so that a signal does not cut one in two."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from typing import Any

from singer_sdk.contrib.msgspec import MsgSpecWriter
from singer_sdk.singerlib import RecordMessage

from tap_twilio_usage._compat import override
from tap_twilio_usage.errors import TapError
from tap_twilio_usage.signals import Stopped

FORCED_EXIT_AFTER = 5.0  # seconds between the first signal and one that ends the process at once


class LineWriter(MsgSpecWriter):
    """Writes messages. A signal during a message stops the tap after that message.

    Otherwise Python could lose the rest of a line that is longer than the pipe's buffer, as a STATE
    of several accounts is.
    """

    def __init__(self) -> None:
        """Start without a signal."""
        super().__init__()
        self.bytes_written = 0
        self.rows_by_stream: Counter[str] = Counter()
        self._is_writing = False
        self._stop: Stopped | None = None
        self._stopped_at = 0.0

    def stop(self, stop: Stopped) -> None:
        """Raise the exception, or have the current message raise it at its end.

        Exit at once if called again after some seconds. An earlier call is not a second request,
        because on Ctrl-C both the terminal and Meltano send a signal.
        """
        if self._stop is None:
            self._stop, self._stopped_at = stop, time.monotonic()
        elif time.monotonic() - self._stopped_at >= FORCED_EXIT_AFTER:
            os._exit(128 + stop.signum)  # the target does not read, so the message cannot end
        if not self._is_writing:
            raise self._stop

    @override
    def write_message(self, message: Any) -> None:
        if isinstance(message, RecordMessage):
            self.rows_by_stream[message.stream] += 1
        self.write_lines(self.format_message(message))

    def write_lines(self, lines: bytes | bytearray) -> None:
        """Write encoded messages, each of which ends with a newline."""
        self._is_writing = True
        try:
            self.send(lines)
            self.bytes_written += len(lines)
        finally:
            self._is_writing = False
        if self._stop:
            raise self._stop

    def send(self, lines: bytes | bytearray) -> None:
        """Write the lines to stdout; a subclass may send them elsewhere."""
        try:
            sys.stdout.buffer.write(lines)
            sys.stdout.flush()
        except OSError as error:
            drop_stdout()
            raise self._stop or _failure(error) from None


def drop_stdout() -> None:
    """Redirect stdout to the null device, so that Python's flush at exit cannot fail."""
    number = sys.stdout.fileno()
    try:
        null = os.open(os.devnull, os.O_WRONLY)
    except OSError:  # too many open files: one less, then
        os.close(number)
        null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, number)


def _failure(error: OSError) -> TapError:
    if isinstance(error, BrokenPipeError):
        return TapError("the target stopped reading; its own log says why")
    return TapError(f"stdout cannot be written: {error.strerror}")
