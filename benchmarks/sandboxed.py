"""The sandbox in a process of its own, whose CPU time and memory are nobody else's."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from typing import Any

from benchmarks.case import Case
from benchmarks.surroundings import ROOT, environment
from sandbox import Server


class Sandbox:
    """The company of a case behind a socket: a context manager."""

    def __init__(self, case: Case) -> None:
        """Start nothing yet."""
        self.case = case
        self.url = ""

    def __enter__(self) -> Sandbox:  # noqa: PYI034 - typing.Self needs Python 3.11
        """Start it; the `url` is known from here on."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.sandboxed"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment(),
        )
        self.url = self._ask(asdict(self.case))
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._process.communicate()

    def behave(self, latency: float = 0.0, max_concurrent: int = 0) -> list[int]:
        """Answer like this from now on; give the status of every answer since the last time.

        The latency is in seconds; beyond so many requests at a time (0: no limit) comes a 429.
        """
        statuses: list[int] = self._ask([latency, max_concurrent])
        return statuses

    def _ask(self, question: Any) -> Any:
        assert self._process.stdin  # noqa: S101
        assert self._process.stdout  # noqa: S101
        self._process.stdin.write(f"{json.dumps(question)}\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


def main() -> None:
    """Serve the case on the first line of stdin, and behave as each further line says."""
    with Server(Case(**json.loads(sys.stdin.readline())).company()) as server:
        _say(server.url)
        for line in sys.stdin:
            statuses = [request.status for request in server.requests]
            server.requests.clear()
            server.latency, server.max_concurrent = json.loads(line)
            _say(statuses)


def _say(answer: Any) -> None:
    sys.stdout.write(f"{json.dumps(answer)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
