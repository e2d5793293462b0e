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
    readings = list(_readings(text))
    return [secret for secret in secrets if any(secret in reading for reading in readings)]


def _readings(text: str) -> Iterator[str]:
    yield text
    unescaped = ESCAPE.sub(r"\1", text)
    yield unescaped
    yield ESCAPE.sub(r"\1", unescaped)
    yield unquote_plus(text)
    yield unquote_plus(text.replace("+", "%2B"))
    for word in sorted(set(BASE64.findall(text))):
        plain = word.replace("-", "+").replace("_", "/")
        for start in range(4):
            part = plain[start:]
            yield b64decode(part[: len(part) // 4 * 4]).decode("latin-1")
            yield b64decode(part + "=" * (-len(part) % 4) if len(part) % 4 != 1 else "").decode(
                "latin-1"
            )
