"""Faulty answers, as Twilio, proxies and networks send them, and a plan that chooses them."""

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

    If `sent` is not None, only the first `sent` bytes of the content are sent (-1: not even the
    headers), and the connection is then closed, or reset if `reset` is set. `pause` is the time
    after each byte, in seconds.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes
    sent: int | None = None
    reset: bool = False
    pause: float = 0.0


def error(status: int, code: int, message: str, **headers: str) -> Callable[[Reply], Reply]:
    """Return the fault that answers with this Twilio error."""
    return _instead(ApiError(status, code, message, headers))


def _instead(error: ApiError) -> Callable[[Reply], Reply]:
    return lambda _: Reply(error.status, error.headers, error.body())


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
"""The temporary faults by name: a retry succeeds."""


class AtRandom:
    """A plan that returns a random fault, or None, for each API request. Thread-safe."""

    def __init__(self, rate: float, seed: int = 1) -> None:
        """Set the share of requests that get a fault, from 0 to 1."""
        self._rate = rate
        self._random = random.Random(seed)
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Callable[[Reply], Reply] | None:
        """Return the fault for a request, or None."""
        if request.path == "/":  # how `start` and `stop` find the server
            return None
        with self._lock:
            if self._random.random() >= self._rate:
                return None
            return FAULTS[self._random.choice(list(FAULTS))]
