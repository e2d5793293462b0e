"""Runs the tap's command in forked processes, which start within milliseconds.

Each process is forked from a server that has imported the tap; each pytest worker has one server.
It has its own pipes, environment, signals and exit code, like any process. Tests of how the command
starts run the installed command instead.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from tap_twilio_usage.__main__ import main
from tap_twilio_usage.money import hierarchy
from tap_twilio_usage.tap import TapTwilioUsage

hierarchy.shipped()  # every run would read its file

# Windows has no fork: there, conftest.py starts the installed command instead.
CAN_FORK = "forkserver" in multiprocessing.get_all_start_methods()
CONTEXT: Any = multiprocessing.get_context("forkserver" if CAN_FORK else "spawn")
PRELOADED = ["tap_twilio_usage.tap", "tap_twilio_usage.memory", "email.policy", "tests.forked"]
if CAN_FORK:
    CONTEXT.set_forkserver_preload(PRELOADED)
LONGEST_RUN = 120  # seconds


def preload(module: str) -> None:
    """Import what a command's own module imports, which every process would otherwise repeat."""
    CONTEXT.set_forkserver_preload([*PRELOADED, module])


@dataclass(frozen=True)
class Overrides:
    """Changed limits and clock of a run, so that a test does not have to wait."""

    speed: float = 1  # every wait before a retry is divided by it
    limits: Mapping[str, Any] = field(default_factory=dict)  # fields of Limits
    now: datetime | None = None  # the time at which the tap's clock starts


NOTHING = Overrides()


class Forked:
    """A run of the command. Its messages can be read from `out`.

    The log is written to a file. The working directory is the folder of that file.
    """

    def __init__(
        self,
        arguments: list[str],
        log: Path,
        env: Mapping[str, str],
        *,
        overrides: Overrides = NOTHING,
        pipe_size: int | None = None,
    ) -> None:
        reading, writing = CONTEXT.Pipe(duplex=False)
        if pipe_size is not None:
            import fcntl  # noqa: PLC0415  (not on Windows)

            fcntl.fcntl(writing.fileno(), fcntl.F_SETPIPE_SZ, pipe_size)
        self.process: BaseProcess = CONTEXT.Process(
            target=_run,
            args=(arguments, writing, log, dict(env), overrides),
            daemon=True,
        )
        self.process.start()
        writing.close()
        self.out = os.fdopen(os.dup(reading.fileno()), "rb")
        reading.close()

    @property
    def pid(self) -> int:
        assert self.process.pid
        return self.process.pid

    def wait(self, seconds: float = LONGEST_RUN) -> int:
        """Wait for the end; return the exit code, negative after a signal as in `subprocess`."""
        self.process.join(seconds)
        code = self.process.exitcode
        assert code is not None, "the run has not ended"
        self.process.close()
        return code


def _run(
    arguments: list[str],
    out: Connection,
    log: Path,
    env: dict[str, str],
    overrides: Overrides,
) -> None:
    """Run the command as a new interpreter would, with its exit code."""
    signal.alarm(LONGEST_RUN)  # ends the process if nothing else does
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    os.chdir(log.parent)
    os.dup2(out.fileno(), 1)
    out.close()
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    sys.argv = ["tap-twilio-usage", *arguments]
    try:
        main(_tap(overrides))
    except Exception:  # noqa: BLE001
        sys.excepthook(*sys.exc_info())
        sys.exit(1)
    finally:
        # What follows belongs to multiprocessing, not to the command.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})


def _tap(overrides: Overrides) -> type[TapTwilioUsage]:
    """Return the tap with other limits and another clock."""
    later = timedelta()
    if overrides.now is not None:
        later = overrides.now - datetime.now(overrides.now.tzinfo)

    class Hurried(TapTwilioUsage):
        __doc__ = TapTwilioUsage.__doc__  # which --about prints
        limits = replace(TapTwilioUsage.limits, pace=overrides.speed, **overrides.limits)
        today = staticmethod(lambda: (datetime.now(timezone.utc) + later).date())  # noqa: PLW0108

    return Hurried
