"""Messages on stdout, none of them cut in two by a signal."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from typing import Any

from singer_sdk.contrib.msgspec import MsgSpecWriter, serialize_jsonl
from singer_sdk.helpers._state import StateWriter

from tap_twilio_usage._compat import override
from tap_twilio_usage.errors import TapError
from tap_twilio_usage.signals import Stopped

PATIENCE = 5.0  # seconds


class LineWriter(MsgSpecWriter):
    """Writes messages; what stops the tap in the middle of one does so after it.

    Otherwise Python may lose what is left of a line that the target has not taken yet, if it is
    longer than its buffer, as a STATE of some accounts is.
    """

    def __init__(self) -> None:
        """Begin with nothing written."""
        super().__init__()
        self._is_writing = False
        self._stop: Stopped | None = None
        self._asked = 0.0

    def stop(self, stop: Stopped) -> None:
        """Raise it after the message under way; end at once if asked again after some seconds.

        Not sooner: on Ctrl-C both the terminal and Meltano send a signal.
        """
        if self._stop is None:
            self._stop, self._asked = stop, time.monotonic()
        elif time.monotonic() - self._asked >= PATIENCE:
            os._exit(128 + stop.signum)  # the target does not read: nothing else would end it
        if not self._is_writing:
            raise self._stop

    @override
    def write_message(self, message: Any) -> None:
        self.write_lines(self.format_message(message))

    def write_lines(self, lines: bytes | bytearray) -> None:
        """Write messages that are encoded, each ended by a new line."""
        self._is_writing = True
        try:
            sys.stdout.buffer.write(lines)
            sys.stdout.flush()
        except OSError as error:
            drop_stdout()
            raise self._stop or _failure(error) from None
        finally:
            self._is_writing = False
        if self._stop:
            raise self._stop


class States(StateWriter):
    """Writes a STATE that differs from the last one.

    The SDK copies all that is in it, twice: of hundreds of accounts, a seventh of the time.
    """

    def __init__(self, message_writer: LineWriter) -> None:
        """Begin with none written."""
        self._lines = message_writer
        self._last = b""

    @override
    def write_state(self, state: Mapping[str, Any]) -> None:
        line = bytes(serialize_jsonl({"type": "STATE", "value": state}))
        if line != self._last:
            self._lines.write_lines(line)
            self._last = line


def drop_stdout() -> None:
    """Let what Python would still write at its end go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _failure(error: OSError) -> TapError:
    if isinstance(error, BrokenPipeError):
        return TapError("the target stopped reading; its own log says why")
    return TapError(f"stdout cannot be written: {error.strerror}")
