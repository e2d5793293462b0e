"""Run a command and print what it cost: `-m benchmarks.cost OUTPUT COMMAND ...`, as JSON.

In a process of its own, which is small: a command's peak of memory begins with that of the process
that started it. What the command prints goes to the file OUTPUT: to read a pipe takes CPU time
from the two that are measured.
"""

from __future__ import annotations

import json
import os
import sys
import time


def main(output: str, *command: str) -> int:
    """Run it; return its exit code."""
    opened = (os.POSIX_SPAWN_OPEN, 1, output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    began = time.monotonic()
    pid = os.posix_spawn(command[0], command, os.environ, file_actions=[opened])
    _, status, usage = os.wait4(pid, 0)
    unit = 1 if sys.platform == "darwin" else 1024
    cost = {
        "wall": time.monotonic() - began,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak": usage.ru_maxrss * unit,
    }
    sys.stdout.write(json.dumps(cost))
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
