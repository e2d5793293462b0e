"""Finds secrets in a text, including encoded ones.

It decodes the text instead of looking for the forms that the tap masks, to find other forms too.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterable, Iterator
from urllib.parse import unquote_plus

BASE64 = re.compile(r"[A-Za-z0-9+/_-]{8,}")
ESCAPE = re.compile(r'\\(["\\/])')


def leaks(text: str, secrets: Iterable[str]) -> list[str]:
    """Return the secrets in the text: plain, quoted in a URL or JSON, or in Base64."""
    secrets = list(secrets)
    readings = list(_readings(text, min(map(len, secrets), default=0)))
    return [secret for secret in secrets if any(secret in reading for reading in readings)]


def _readings(text: str, length: int) -> Iterator[str]:
    """Yield what the text may mean. What is decoded from Base64 has that length at least."""
    yield text
    unescaped = ESCAPE.sub(r"\1", text)
    yield unescaped
    yield ESCAPE.sub(r"\1", unescaped)
    yield unquote_plus(text)
    yield unquote_plus(text.replace("+", "%2B"))
    words = {word for word in BASE64.findall(text) if len(word) * 3 // 4 >= length}
    for word in sorted(words):
        plain = word.replace("-", "+").replace("_", "/")
        for start in range(4):
            part = plain[start:]
            yield b64decode(part[: len(part) // 4 * 4]).decode("latin-1")
            yield b64decode(part + "=" * (-len(part) % 4) if len(part) % 4 != 1 else "").decode(
                "latin-1"
            )
