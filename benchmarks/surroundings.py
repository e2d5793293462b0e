"""What every process of a run gets: the same folder and the same environment."""

from __future__ import annotations

import os
from pathlib import Path

from sandbox import AUTH_TOKEN, MAIN_SID

ROOT = Path(__file__).parents[1]
OTHERS = ("PYTHON", "SINGER_", "TAP_", "TWILIO_")


def environment() -> dict[str, str]:
    """Give the environment: nothing that slows Python down, and the sandbox's credentials."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(OTHERS)},
        "TWILIO_ACCOUNT_SID": MAIN_SID,
        "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
    }
