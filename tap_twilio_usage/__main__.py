"""The command. What takes time to import is imported once an interrupt is no traceback."""

from __future__ import annotations

import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)  # until the tap handles it


def main() -> None:
    """Run the tap."""
    from tap_twilio_usage.tap import TapTwilioUsage  # noqa: PLC0415

    TapTwilioUsage.cli()


if __name__ == "__main__":
    main()
