"""`python -m benchmarks.billed` measures what the checksums of sent FOCUS rows save in a night.

A night of 200 accounts reads the lookback again. With the checksums (`focus/sent_rows.py`), rows
without cost are sent only where the target may have an old cost; without, one for every record.
`--quick` checks that everything works.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.case import TODAY, Case
from benchmarks.report import Table, say
from benchmarks.runs import MEGABYTE, Conditions, last_state, measure_in_turn, spend
from benchmarks.sandboxed import Sandbox
from benchmarks.sizes import AGE, FEW
from benchmarks.tools import Json, Tap, Task
from tap_twilio_usage.focus.columns import STREAM

FOCUS_RECORD = b'{"type":"RECORD","stream":"%s"' % STREAM.encode()


@dataclass(frozen=True, eq=False)
class Focus(Tap):
    """The tap with FOCUS."""

    until: str = f"{TODAY}"

    def settings(self, task: Task) -> Json:
        """Return the settings."""
        return {**super().settings(task), "focus": True, "end_date": self.until}


@dataclass(frozen=True, eq=False)
class ZeroRows(Focus):
    """The tap with FOCUS, which sends a row for every record."""

    def command(self, task: Task, folder: Path) -> list[str]:
        """Return the command."""
        _, *options = super().command(task, folder)
        return [sys.executable, "-m", "benchmarks.zero_rows", *options]


LOAD = Focus("load", until=f"{TODAY - timedelta(days=1)}")
NIGHTS = (Focus("checksums, as it is"), ZeroRows("a row for every record"))
FULL, QUICK = Case(37, accounts=200, age=AGE, categories=FEW), Case(3, 3, AGE, FEW)


def main() -> int:
    """Print the costs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.billed", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small size")
    options = parser.parse_args()
    case, repeats = (QUICK, 1) if options.quick else (FULL, 3)
    with Sandbox(case) as sandbox:
        state = last_state(LOAD, sandbox)
        rows = {night.name: _rows(night, Task(case, sandbox.url, state)) for night in NIGHTS}
        costs = measure_in_turn(dict.fromkeys(NIGHTS, state), sandbox, Conditions(repeats=repeats))
    say(f"{case}: a night after a load up to the day before; the median of {repeats}, latency 0.")
    table = Table("night", "records", "FOCUS rows", "MB", "s", "CPU s")
    for line in table.head():
        say(line)
    for night in NIGHTS:
        records, focus, size = rows[night.name]
        wall, cpu, _ = costs[night].cost
        say(
            table.row(night.name, f"{records:,}", f"{focus:,}", f"{size / MEGABYTE:.0f}", wall, cpu)
        )
    return 0


def _rows(night: Focus, task: Task) -> tuple[int, int, int]:
    """Return the records of usage and of FOCUS, and the bytes of the output."""
    with TemporaryDirectory() as folder:
        output = Path(folder, "output")
        spend(night.command(task, Path(folder)), output)
        with output.open("rb") as lines:
            focus = sum(line.startswith(FOCUS_RECORD) for line in lines)
        return night.rows(output), focus, output.stat().st_size


if __name__ == "__main__":
    sys.exit(main())
