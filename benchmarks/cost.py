"""`-m benchmarks.cost OUTPUT COMMAND ...` runs a command and prints its cost as JSON.

This is a small process of its own, because the peak memory of a command starts at that of its
parent. The command's output goes to the file OUTPUT, because reading a pipe would take CPU time
from the measured processes.
"""

from __future__ import annotations

import json
import os
import sys
import time


def main(output: str, *command: str) -> int:
    """Run the command and return its exit code."""
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
