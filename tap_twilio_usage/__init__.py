"""A Singer tap for Twilio usage and spend that counts every dollar once."""

__version__ = "0.1.0"
