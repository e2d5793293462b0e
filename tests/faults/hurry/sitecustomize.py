"""The command in a hurry: Python runs this first where its folder is on PYTHONPATH.

HURRY divides every wait. CLIENT has other values for constants of the client, as JSON; SILENCE is
the longest one, in seconds. NOW is the moment, in ISO 8601, at which the tap's clock begins.
"""

import json
import os
import time
from datetime import datetime
from typing import Any

import tap_twilio_usage.twilio.periods
from tap_twilio_usage.logs import heartbeat as watch
from tap_twilio_usage.twilio import client, transport

sleep, hurry = time.sleep, float(os.environ.get("HURRY", "1"))


def in_a_hurry(seconds: float) -> None:
    """Sleep, but not for so long."""
    sleep(seconds / hurry)


setattr(time, "sleep", in_a_hurry)  # noqa: B010

for name, value in json.loads(os.environ.get("CLIENT", "{}")).items():
    module = client if hasattr(client, name) else transport
    setattr(module, name, tuple(value) if isinstance(value, list) else value)

if "SILENCE" in os.environ:
    watch.LONGEST_SILENCE = float(os.environ["SILENCE"])

if "NOW" in os.environ:
    now = datetime.fromisoformat(os.environ["NOW"])
    later = now - datetime.now(now.tzinfo)

    class Clock:
        """Another day."""

        @staticmethod
        def now(tz: Any) -> datetime:
            """Give the time there."""
            return datetime.now(tz) + later

    setattr(tap_twilio_usage.twilio.periods, "datetime", Clock)  # noqa: B010
