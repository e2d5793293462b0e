"""The tap's command in processes that do not import it again: for thousands of runs.

Each process is forked from a server that has imported the tap (one server for each worker of
pytest). It has its own pipes, environment, signals and exit code like any other, and starts within
milliseconds. Tests about starting up run the installed command instead.
"""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tap_twilio_usage.tap", "email.policy", "tests.forked"])
LONGEST_RUN = 120  # seconds


@dataclass(frozen=True)
class Overrides:
    """What is different in a run, so that a test need not wait for minutes or for another day."""

    speed: float = 1  # by which every wait before another try is divided
    limits: Mapping[str, Any] = field(default_factory=dict)  # by the name of the tap's constant
    now: datetime | None = None  # where the tap's clock begins


NOTHING = Overrides()


class Forked:
    """A run of the command, started. Read its messages from `out`.

    Its log goes to a file, in whose folder it runs.
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
        """Return the exit code, negative where a signal killed it, as `subprocess` does."""
        self.process.join(seconds)
        code = self.process.exitcode
        assert code is not None, "it is still running"
        self.process.close()
        return code


def _run(
    arguments: list[str],
    out: Connection,
    log: Path,
    env: dict[str, str],
    overrides: Overrides,
) -> None:
    """Do what a new interpreter would do with the command, and end as it would."""
    signal.alarm(LONGEST_RUN)  # which ends it if nothing else does
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    os.chdir(log.parent)
    os.dup2(out.fileno(), 1)
    out.close()
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    sys.argv = ["tap-twilio-usage", *arguments]
    _apply(overrides)
    from tap_twilio_usage.__main__ import main  # noqa: PLC0415  (it resets signal handlers)

    try:
        main()
    except Exception:  # noqa: BLE001
        sys.excepthook(*sys.exc_info())
        sys.exit(1)
    finally:
        # What follows is not the command's, but multiprocessing's.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})


def _apply(overrides: Overrides) -> None:
    from tap_twilio_usage import billing_group, client, transport, watch, windows  # noqa: PLC0415

    sleep = time.sleep
    time.sleep = lambda seconds: sleep(float(seconds) / overrides.speed)
    for name, value in overrides.limits.items():
        modules = [each for each in (billing_group, client, transport, watch) if name in vars(each)]
        assert modules, name
        for module in modules:
            setattr(module, name, value)
    if overrides.now is not None:
        later = overrides.now - datetime.now(overrides.now.tzinfo)

        class Clock:
            @staticmethod
            def now(tz: tzinfo) -> datetime:
                return datetime.now(tz) + later

        setattr(windows, "datetime", Clock)  # noqa: B010  (for mypy)
