"""How the process returns memory to the system."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress

# From glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8


def keep_freed_memory() -> None:
    """Let glibc keep a few freed megabytes, in one arena for all threads.

    Answers have a megabyte or two, and each is read on a thread of its own. By default glibc
    returns their memory to the kernel and requests it again, which took a fifth of a run's time.
    """
    if sys.platform != "linux":
        return
    with suppress(AttributeError, OSError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_MMAP_THRESHOLD, 32 * 2**20)
        mallopt(M_TRIM_THRESHOLD, 8 * 2**20)
