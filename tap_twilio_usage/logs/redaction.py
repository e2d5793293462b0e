"""Secrets kept out of the log, whoever writes it: the tap, the SDK, a library at DEBUG."""

from __future__ import annotations

import json
import logging
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

from tap_twilio_usage._compat import override

SHORTEST = 8  # what is shorter is no secret of Twilio's, and may well be part of a word
NOTHING = re.compile(r"(?!)")


class Redactor:
    """Puts *** where a text would hold a secret: as it is, quoted in a URL or JSON, or in Base64.

    So also in a header for Basic authentication.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """Take the secrets that are known from the start."""
        self._forms: set[str] = set()
        self._pattern = NOTHING
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Redact this one too from now on."""
        if len(secret) >= SHORTEST:
            self._forms |= set(_forms(secret))
            longest_first = sorted(self._forms, key=len, reverse=True)  # one may begin another
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def text(self, text: str) -> str:
        """Give the text without secrets."""
        return self._pattern.sub("***", text)

    def install(self) -> None:
        """Redact all that the log handlers write from now on, tracebacks included."""
        for handler in handlers():
            handler.setFormatter(_Masking(handler.formatter or logging.Formatter(), self))


def handlers() -> set[logging.Handler]:
    """Give what writes the log: of every logger that there is."""
    loggers = logging.root, *logging.root.manager.loggerDict.values()
    return {
        handler
        for logger in loggers
        if isinstance(logger, logging.Logger)
        for handler in logger.handlers
    }


class _Masking(logging.Formatter):
    """Another formatter, masked."""

    def __init__(self, formatter: logging.Formatter, mask: Redactor) -> None:
        super().__init__()
        self._formatter = formatter
        self._mask = mask

    @override
    def format(self, record: logging.LogRecord) -> str:
        return self._mask.text(self._formatter.format(record))


def _forms(secret: str) -> Iterator[str]:
    """Give the texts by which the secret could be recognised."""
    for escaped in (secret, repr(secret)[1:-1]):
        yield escaped
        yield json.dumps(escaped)[1:-1]
    for quoted in (quote(secret, safe=""), quote(secret), quote_plus(secret)):
        yield quoted
        yield re.sub("%..", lambda code: code[0].lower(), quoted)
    for encode in (b64encode, urlsafe_b64encode):
        for before in range(3):
            # Three bytes are four characters: what the neighbours have a part in is left out.
            encoded = encode(b"\0" * before + secret.encode()).decode()
            yield encoded[-(-before * 4 // 3) : (before + len(secret.encode())) * 4 // 3]
