"""Answers that go wrong, as Twilio, proxies and networks send them, and a plan for when."""

from __future__ import annotations

import gzip
import random
import threading
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import TYPE_CHECKING, NamedTuple

from sandbox.errors import ApiError, too_many_requests

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.server import Request

_PAGE = b"<html><body><h1>Something went wrong</h1>" + b"<p>Please try again.</p>" * 4500


class Reply(NamedTuple):
    """An answer as it is sent.

    Of the content only the first `sent` bytes, where that is not None (-1: no head either): then
    the connection ends, by a reset or in order. After each byte of it comes a `pause`, in seconds.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes
    sent: int | None = None
    reset: bool = False
    pause: float = 0.0


def error(status: int, code: int, message: str, **headers: str) -> Callable[[Reply], Reply]:
    """Return the fault that is one of Twilio's errors."""
    return _instead(ApiError(status, code, message, headers))


def _instead(of_all: ApiError) -> Callable[[Reply], Reply]:
    return lambda _: Reply(of_all.status, of_all.headers, of_all.body())


def _page(status: int) -> Callable[[Reply], Reply]:
    return lambda _: Reply(status, {"Content-Type": "text/html"}, _PAGE)


def _too_many_until_a_date(reply: Reply) -> Reply:
    moment = datetime.now(timezone.utc) + timedelta(seconds=2)
    return _instead(too_many_requests(format_datetime(moment, usegmt=True)))(reply)


def _broken_gzip(reply: Reply) -> Reply:
    packed = bytearray(gzip.compress(reply.content))
    packed[-8] ^= 0xFF  # of the checksum
    return reply._replace(
        headers={**reply.headers, "Content-Encoding": "gzip"}, content=bytes(packed)
    )


def _half(reply: Reply) -> Reply:
    return reply._replace(status=200, content=reply.content[: len(reply.content) // 2])


FAULTS: Mapping[str, Callable[[Reply], Reply]] = {
    "429": _instead(too_many_requests(None)),
    "429 with seconds": _instead(too_many_requests("1")),
    "429 with a date": _too_many_until_a_date,
    "429 with garbage": _instead(too_many_requests("in a while")),
    "500": error(500, 20500, "Internal Server Error"),
    "502 with a page": _page(502),
    "503": error(503, 20503, "Service Unavailable"),
    "504 with a page": _page(504),
    "reset": lambda reply: reply._replace(sent=-1, reset=True),
    "closed": lambda reply: reply._replace(sent=-1),
    "reset in the body": lambda reply: reply._replace(sent=len(reply.content) // 2, reset=True),
    "closed in the body": lambda reply: reply._replace(sent=len(reply.content) // 2),
    "broken gzip": _broken_gzip,
    "half of the JSON": _half,
    "a page": _page(200),
    "nothing": lambda reply: reply._replace(status=200, content=b""),
}
"""What passes when it is asked again, by what it is called."""


class AtRandom:
    """A plan: for each request of the API a fault, or None. Safe to use from any thread."""

    def __init__(self, rate: float, seed: int = 1) -> None:
        """Have so many of all requests go wrong, from 0 to 1."""
        self._rate = rate
        self._random = random.Random(seed)
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Callable[[Reply], Reply] | None:
        """Draw."""
        if request.path == "/":  # how `start` and `stop` find the server
            return None
        with self._lock:
            if self._random.random() >= self._rate:
                return None
            return FAULTS[self._random.choice(list(FAULTS))]
