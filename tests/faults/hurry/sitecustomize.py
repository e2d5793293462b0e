"""The command in a hurry: Python runs this first where its folder is on PYTHONPATH.

HURRY divides the waits before retries. LIMITS has other limits, as JSON. NOW is the moment, in ISO
8601, at which the tap's clock begins.
"""

import json
import os
from dataclasses import replace
from datetime import datetime
from typing import Any

import tap_twilio_usage.twilio.periods
from tap_twilio_usage.tap import TapTwilioUsage

TapTwilioUsage.limits = replace(
    TapTwilioUsage.limits,
    pace=float(os.environ.get("HURRY", "1")),
    **json.loads(os.environ.get("LIMITS", "{}")),
)

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
