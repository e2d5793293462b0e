"""The sandbox in its own process, so that its CPU time and memory are not measured."""

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
    """A context manager that serves the company of a case."""

    def __init__(self, case: Case) -> None:
        """Set the case; the process starts with the context."""
        self.case = case
        self.url = ""

    def __enter__(self) -> Sandbox:  # noqa: PYI034 - typing.Self needs Python 3.11
        """Start the process and set `url`."""
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
        """Stop the process."""
        self._process.communicate()

    def behave(self, latency: float = 0.0, max_concurrent: int = 0) -> list[int]:
        """Change how the server answers; return the status of every answer since the last call.

        The latency is in seconds. More than `max_concurrent` requests (0: no limit) get a 429.
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
    """Serve the case on the first line of stdin, and change the answers on each further line."""
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
