"""Secrets kept out of the log, whoever writes it: the tap, the SDK, a library at DEBUG."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from tap_twilio_usage.compat import override

SHORTEST = 8  # what is shorter is no secret of Twilio's, and may well be part of a word


class Mask(logging.Filter):
    """Puts *** where a line would hold a secret."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """Take the secrets that are known from the start."""
        super().__init__()
        self._secrets: set[str] = set()
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Mask this one too from now on."""
        if len(secret) >= SHORTEST:
            self._secrets.add(secret)

    def text(self, text: str) -> str:
        """Give the text without secrets."""
        for secret in sorted(self._secrets, key=len, reverse=True):  # one may begin another
            text = text.replace(secret, "***")
        return text

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        """Mask a line of the log, and let it pass."""
        told = record.getMessage()
        if (masked := self.text(told)) != told:
            record.msg, record.args = masked, ()
        return True

    def put_on(self, logger: logging.Logger) -> None:
        """Mask all that reaches the logger's handlers, from wherever it comes."""
        for handler in logger.handlers:
            handler.addFilter(self)
