"""What the streams share."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from singer_sdk import Stream

from tap_twilio_usage.compat import override

if TYPE_CHECKING:
    from singer_sdk.helpers.types import Context

    from tap_twilio_usage.tap import TapTwilioUsage


class TwilioStream(Stream):
    """A stream that gives `rows`."""

    _tap: TapTwilioUsage

    @override
    def log(self, message: str, *args: Any, level: int = logging.INFO, **kwargs: Any) -> None:
        # The SDK's only error, "unhandled", would stand before the line that says what is wrong.
        if level < logging.ERROR:
            super().log(message, *args, level=level, **kwargs)

    @abstractmethod
    def rows(self, context: Context | None) -> Iterator[dict[str, Any]]:
        """Give the records of one context."""

    @override
    def get_records(self, context: Context | None) -> Iterable[dict[str, Any]]:
        # The SDK ends --test by an exception, and logs it as an error; this ends it quietly.
        return islice(self.rows(context), self.ABORT_AT_RECORD_COUNT)
