"""What the process does with memory that it is done with."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress

# Of glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8


def keep_what_was_freed() -> None:
    """Have glibc keep a few freed megabytes, for all threads together.

    Answers have a megabyte or two, each read on a thread of its own. By default the memory of each
    goes back to the kernel and is asked for again, which took a fifth of a run's time.
    """
    if sys.platform != "linux":
        return
    with suppress(AttributeError, OSError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_MMAP_THRESHOLD, 32 * 2**20)
        mallopt(M_TRIM_THRESHOLD, 8 * 2**20)
