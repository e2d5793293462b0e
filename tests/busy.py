"""A sandbox in which as many requests come at the same time as a test wants."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox import Server
from tests.waiting import until


@dataclass(eq=False)
class Busy(Server):
    """Answers nothing until it has refused so many requests, however slow the machine is."""

    refusals: int = 0

    def work(self) -> None:
        """Wait for the refusals."""
        until(lambda: self._refused() >= self.refusals)

    def _refused(self) -> int:
        return sum(request.status == 429 for request in list(self.requests))
