"""A Singer tap for Twilio usage and spend that counts every dollar once."""

from tap_twilio_usage.money.dedup import Share, deduplicate

__version__ = "0.1.0"
__all__ = ["Share", "__version__", "deduplicate"]
