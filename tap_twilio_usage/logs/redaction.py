"""Secrets are kept out of the log, whoever writes it: the tap, the SDK, or a library at DEBUG."""

from __future__ import annotations

import json
import logging
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus

from tap_twilio_usage._compat import override

LONGEST_SHOWN = 20  # characters of a value: a longer one may be a secret in the wrong place
SHORTEST = 8  # a shorter text is not a secret of Twilio's, and may well be part of a word
NOTHING = re.compile(r"(?!)")


class Redactor:
    """Replaces secrets by `***`: in plain text, and quoted for a URL, in JSON or in Base64.

    Base64 includes the header of Basic authentication.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """Take the secrets that are known from the start."""
        self._forms: set[str] = set()
        self._pattern = NOTHING
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Redact this secret too from now on."""
        if len(secret) >= SHORTEST:
            self._forms |= set(_forms(secret))
            longest_first = sorted(self._forms, key=len, reverse=True)  # one may begin another
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def text(self, text: str) -> str:
        """Return the text without secrets."""
        return self._pattern.sub("***", text)

    def install(self) -> None:
        """Redact everything that the log handlers write from now on, including tracebacks."""
        for handler in handlers():
            formatter = handler.formatter or logging.Formatter()
            handler.setFormatter(_RedactingFormatter(formatter, self))


def shown(value: object) -> str:
    """Return the `repr` of a setting's value, with `***` in place of each long text or number."""
    return Redactor(long_values(value)).text(repr(value))


def long_values(value: object) -> Iterator[str]:
    """Yield each long text or number of a setting's value, which may be nested."""
    if isinstance(value, Mapping):
        yield from long_values([*value.keys(), *value.values()])
    elif isinstance(value, list):
        for each in value:
            yield from long_values(each)
    elif len(f"{value}") > LONGEST_SHOWN:
        yield f"{value}"


def handlers() -> set[logging.Handler]:
    """Return the log handlers of all loggers."""
    loggers = logging.root, *logging.root.manager.loggerDict.values()
    return {
        handler
        for logger in loggers
        if isinstance(logger, logging.Logger)
        for handler in logger.handlers
    }


class _RedactingFormatter(logging.Formatter):
    """Redacts what another formatter returns."""

    def __init__(self, formatter: logging.Formatter, redactor: Redactor) -> None:
        super().__init__()
        self._formatter = formatter
        self._redactor = redactor

    @override
    def format(self, record: logging.LogRecord) -> str:
        return self._redactor.text(self._formatter.format(record))


def in_urls(secret: str) -> Iterator[str]:
    """Yield the texts that stand for the secret in a URL, whoever wrote it."""
    data = _encoded(secret)
    in_sqlalchemy = quote(data, safe=" +")
    for quoted in (quote(data, safe=""), quote(data), quote_plus(data), in_sqlalchemy):
        yield quoted
        yield re.sub("%..", lambda code: code[0].lower(), quoted)


def _encoded(secret: str) -> bytes:
    # Half a character is no text; the setting is refused, and until then it is a secret as well.
    return secret.encode(errors="surrogatepass")


def _forms(secret: str) -> Iterator[str]:
    """Return the texts by which the secret could be recognised."""
    for escaped in (secret, repr(secret)[1:-1]):
        yield escaped
        yield json.dumps(escaped)[1:-1]
    yield from in_urls(secret)
    data = _encoded(secret)
    for encode in (b64encode, urlsafe_b64encode):
        for before in range(3):
            # Three bytes are four characters. Those that depend on the neighbours are left out.
            encoded = encode(b"\0" * before + data).decode()
            yield encoded[-(-before * 4 // 3) : (before + len(data)) * 4 // 3]
