"""What newer Pythons have in their standard library."""

from __future__ import annotations

import sys

if sys.version_info >= (3, 12):
    from typing import Unpack, override
else:
    from typing_extensions import Unpack, override

__all__ = ["Unpack", "override"]
