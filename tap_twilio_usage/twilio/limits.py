"""The bounds on time, size and attempts that the tap keeps to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds on what the tap sends, reads and waits for. All times are in seconds.

    With the default waits, 8 tries of one request take about two minutes.
    """

    tries: int = 8  # of one request, while it fails in ways that may pass
    tries_when_denied: int = 4  # after a 401 or 403, once the credentials have worked
    first_wait: float = 1.0  # before the second try; doubled for each one after it
    longest_wait: float = 60.0
    longest_retry_after: float = 300.0  # a longer Retry-After ends the run
    pace: float = 1.0  # waits before a retry are divided by it: tests hurry them
    pages: int = 1000  # of one list; of a billing group, one after another without a new row
    billing_rows: int = 1_000_000  # of one list of a billing group, which is held in memory
    connect_timeout: float = 10.0
    read_timeout: float = 60.0  # of each read from the socket
    deadline: float = 120.0  # for a complete response, however slowly it arrives
    response_bytes: int = 32 * 2**20  # a page of 1,000 records has less than 2 MB
    initial_concurrency: int = 4  # so that a server that accepts few requests refuses few
    silence: float = 60.0  # of the log; then the heartbeat says what the tap waits for
