"""Messages on stdout, none of them cut in two by a signal."""

from __future__ import annotations

import signal
from typing import Any

from singer_sdk.io_base import SingerWriter

from tap_twilio_usage.compat import override

STOPPING = {signal.SIGINT, signal.SIGTERM}


class WholeLines(SingerWriter):
    """Writes messages; a signal in the middle of one comes after it.

    Otherwise Python may lose what is left of a line that the target has not taken yet: of one that
    is longer than its buffer, as a STATE of some accounts is, or of any with PYTHONUNBUFFERED.
    """

    @override
    def write_message(self, message: Any) -> None:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
        try:
            super().write_message(message)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
