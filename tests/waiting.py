"""Waits for conditions, so that tests do not depend on the speed of the machine."""

from __future__ import annotations

import fcntl
import termios
import time
from collections.abc import Callable
from typing import IO

import pytest

LONGEST = 60.0  # seconds
PAGE = 4096  # bytes; a full pipe may have room in the page that is being read


def until(condition: Callable[[], bool]) -> None:
    """Wait until the condition is true; fail after some time."""
    deadline = time.monotonic() + LONGEST
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"the condition did not become true within {LONGEST:.0f} s")
        time.sleep(0.001)


def until_full(pipe: IO[bytes] | IO[str]) -> None:
    """Wait until a pipe has been full for a moment, so that its writer is blocked."""
    size = fcntl.fcntl(pipe.fileno(), fcntl.F_GETPIPE_SZ)
    seen = [0] * 200

    def is_full() -> bool:
        seen.append(_waiting_in(pipe))
        return seen[-1] > size - PAGE and len({*seen[-200:]}) == 1

    until(is_full)


def _waiting_in(pipe: IO[bytes] | IO[str]) -> int:
    waiting = fcntl.ioctl(pipe.fileno(), termios.FIONREAD, b"\0" * 4)
    return int.from_bytes(waiting, "little")
