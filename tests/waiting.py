"""Waits for what comes, however busy the machine is, instead of for a time."""

from __future__ import annotations

import fcntl
import termios
import time
from collections.abc import Callable
from typing import IO

import pytest

LONGEST = 60.0  # seconds
PAGE = 4096  # bytes: a pipe is full though its first page is read in part


def until(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds; fail if it never does."""
    deadline = time.monotonic() + LONGEST
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail("it never came to this")
        time.sleep(0.001)


def until_full(pipe: IO[bytes] | IO[str]) -> None:
    """Wait until the writer of a pipe cannot write any more, since nobody reads from it."""
    size = fcntl.fcntl(pipe.fileno(), fcntl.F_GETPIPE_SZ)
    until(lambda: _waiting_in(pipe) > size - PAGE)


def _waiting_in(pipe: IO[bytes] | IO[str]) -> int:
    waiting = fcntl.ioctl(pipe.fileno(), termios.FIONREAD, b"\0" * 4)
    return int.from_bytes(waiting, "little")
