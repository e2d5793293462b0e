"""The tap's command in processes that need not import it again: for hundreds of runs.

Each is forked from a server that has the tap imported, so it is a process of its own, with
pipes, signals and an exit code like any other, within milliseconds.
"""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.conftest import clean_environment

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tap_twilio_usage.tap", "tests.forked"])


class Forked:
    """A run of the command, started. Read its messages from `out`; its log goes to a file.

    With `SLEEP_SCALE` in `env`, each wait before another try takes that part of its time.
    """

    def __init__(
        self,
        arguments: list[str],
        log: Path,
        *,
        env: Mapping[str, str] | None = None,
        pipe_size: int | None = None,
    ) -> None:
        reading, writing = CONTEXT.Pipe(duplex=False)
        if pipe_size is not None:
            fcntl.fcntl(writing.fileno(), fcntl.F_SETPIPE_SZ, pipe_size)
        environment = {**clean_environment(), **(env or {})}
        self.process: BaseProcess = CONTEXT.Process(
            target=_run, args=(arguments, writing, str(log), environment), daemon=True
        )
        self.process.start()
        writing.close()
        self.out = os.fdopen(os.dup(reading.fileno()), "rb")
        reading.close()

    @property
    def pid(self) -> int:
        assert self.process.pid
        return self.process.pid

    def wait(self, seconds: float = 60) -> int:
        """Give the exit code, negative where a signal killed it, as `subprocess` does."""
        self.process.join(seconds)
        code = self.process.exitcode
        assert code is not None, "it is still running"
        self.process.close()
        return code


def _run(arguments: list[str], out: object, log: str, env: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(env)
    os.dup2(out.fileno(), 1)  # type: ignore[attr-defined]
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    out.close()  # type: ignore[attr-defined]
    if scale := env.get("SLEEP_SCALE"):
        sleep, part = time.sleep, float(scale)
        time.sleep = lambda seconds: sleep(part * float(seconds))
    from tap_twilio_usage.tap import TapTwilioUsage  # noqa: PLC0415

    sys.argv = ["tap-twilio-usage", *arguments]
    try:
        TapTwilioUsage.cli()
    finally:
        # What follows is not the command's, but multiprocessing's.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
