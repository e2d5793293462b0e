"""What SIGINT and SIGTERM do: they end the run after the message that is being written.

A run has one end. Until `ignore`, a signal raises `Stopped`; from then on it changes neither the
last line of the log nor the exit code, so that the two always agree.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable

NAMES = ("SIGINT", "SIGTERM")
SIGNALS = tuple(getattr(signal, name) for name in NAMES if hasattr(signal, name))

_ended = False


class Stopped(SystemExit):
    """A signal ended the run. The exit code is the one that a shell reports for it."""

    def __init__(self, signum: int) -> None:
        """Take the number of the signal."""
        super().__init__(128 + signum)
        self.signum = signum


def use_default() -> None:
    """Let SIGINT end the process without a traceback, until `handle` is called."""
    _install(signal.SIG_DFL, signal.SIGINT)


def raise_stopped(stopped: Stopped) -> None:
    """Raise it at once: nothing is being written."""
    raise stopped


def handle(stop: Callable[[Stopped], None] = raise_stopped) -> None:
    """Call `stop` on each SIGINT and SIGTERM from now on, instead of what was called before."""
    global _ended  # noqa: PLW0603
    _ended = False

    def handler(signum: int, _: object) -> None:
        if not _ended:
            stop(Stopped(signum))

    _install(handler, *SIGNALS)


def ignore() -> None:
    """Ignore both from now on: what is left to do takes no time, and its outcome is known."""
    global _ended  # noqa: PLW0603
    _ended = True  # a signal that has come already is handled while the handlers are replaced
    _install(signal.SIG_IGN, *SIGNALS)


def stopped_in(error: BaseException | None) -> Stopped | None:
    """Return the `Stopped` that led to the error; None if there was none.

    One that is raised inside `threading` can become another error there, because a lock that was
    just released is released again.
    """
    while error is not None and not isinstance(error, Stopped):
        error = error.__context__
    return error


def _install(handler: signal.Handlers | Callable[[int, object], None], *signums: int) -> None:
    if threading.current_thread() is threading.main_thread():  # Python allows it nowhere else
        for signum in signums:
            signal.signal(signum, handler)
