"""The folder and the environment of every process of a run."""

from __future__ import annotations

import os
from pathlib import Path

from sandbox import AUTH_TOKEN, MAIN_SID

ROOT = Path(__file__).parents[1]
OTHERS = ("PYTHON", "SINGER_", "TAP_", "TWILIO_")


def environment() -> dict[str, str]:
    """Return the environment: no Python or tap variables, and the sandbox's credentials."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(OTHERS)},
        "TWILIO_ACCOUNT_SID": MAIN_SID,
        "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
    }
