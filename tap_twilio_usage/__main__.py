"""The command. What takes time to import is imported once an interrupt is no traceback."""

from __future__ import annotations

import signal
import sys

signal.signal(signal.SIGINT, signal.SIG_DFL)  # until the tap handles it


def main() -> None:
    """Run the tap."""
    from tap_twilio_usage.memory import keep_what_was_freed  # noqa: PLC0415
    from tap_twilio_usage.tap import TapTwilioUsage  # noqa: PLC0415

    keep_what_was_freed()

    try:
        command = TapTwilioUsage.cli
    except Exception as error:  # noqa: BLE001  (of the log, which is set up there)
        sys.exit(
            f"the log cannot be set up: {error}; check TAP_TWILIO_USAGE_LOGLEVEL and "
            "SINGER_SDK_LOG_CONFIG"
        )
    command()


if __name__ == "__main__":
    main()
