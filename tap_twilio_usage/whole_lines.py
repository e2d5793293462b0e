"""Messages on stdout, none of them cut in two by a signal."""

from __future__ import annotations

from typing import Any

from singer_sdk.io_base import SingerWriter

from tap_twilio_usage.compat import override
from tap_twilio_usage.errors import Stopped


class WholeLines(SingerWriter):
    """Writes messages; what stops the tap in the middle of one does so after it.

    Otherwise Python may lose what is left of a line that the target has not taken yet, if it is
    longer than its buffer, as a STATE of some accounts is.
    """

    def __init__(self) -> None:
        """Begin with nothing written."""
        super().__init__()
        self._is_writing = False
        self._stop: Stopped | None = None

    def stop(self, stop: Stopped) -> None:
        """Raise it after the message under way; at once if that takes too long for who asks."""
        if not self._is_writing or self._stop:
            raise stop
        self._stop = stop

    @override
    def write_message(self, message: Any) -> None:
        self._is_writing = True
        try:
            super().write_message(message)
        finally:
            self._is_writing = False
        if self._stop:
            raise self._stop
