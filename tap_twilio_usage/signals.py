"""What SIGINT and SIGTERM do."""

from __future__ import annotations


class Stopped(SystemExit):
    """A signal ended the run. The exit code is the one that a shell reports for it."""

    def __init__(self, signum: int) -> None:
        """Take the number of the signal."""
        super().__init__(128 + signum)
        self.signum = signum
