"""The tap as a source of dlt, for any destination that dlt can load. Needs the extra `dlt`."""

from __future__ import annotations

from tap_twilio_usage.dlt.source import twilio_usage

__all__ = ["twilio_usage"]
