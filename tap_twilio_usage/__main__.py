"""The command `tap-twilio-usage`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tap_twilio_usage import signals

if TYPE_CHECKING:
    from tap_twilio_usage.tap import TapTwilioUsage


def main(tap: type[TapTwilioUsage] | None = None) -> None:
    """Run the tap; tests run one with other limits."""
    signals.use_default()  # before the slow imports, which a signal may interrupt
    try:
        from tap_twilio_usage.memory import keep_freed_memory  # noqa: PLC0415
        from tap_twilio_usage.tap import TapTwilioUsage  # noqa: PLC0415
    except (ImportError, MemoryError, OSError) as error:
        sys.exit(
            f"the tap cannot be started: {error!r}; install it again, or raise the limits of "
            "memory and open files (ulimit -v, -n)"
        )

    keep_freed_memory()
    try:
        command = (tap or TapTwilioUsage).cli
    except Exception as error:  # noqa: BLE001  (the SDK configures logging here)
        sys.exit(
            f"logging cannot be configured: {error}; check TAP_TWILIO_USAGE_LOGLEVEL and "
            "SINGER_SDK_LOG_CONFIG"
        )
    command()


if __name__ == "__main__":
    main()
