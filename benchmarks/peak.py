"""Run a command and print its peak memory in bytes after what it prints: `-m benchmarks.peak ...`.

In a process of its own, which is small: a command's peak begins with the memory of the process
that started it, and the sandbox's has hundreds of megabytes.
"""

from __future__ import annotations

import os
import sys


def main(command: list[str]) -> int:
    """Run it; return its exit code."""
    pid = os.posix_spawn(command[0], command, os.environ)
    _, status, usage = os.wait4(pid, 0)
    unit = 1 if sys.platform == "darwin" else 1024
    sys.stdout.write(f"{usage.ru_maxrss * unit}\n")
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
