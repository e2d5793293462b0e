"""A Singer tap for Twilio usage and spend that counts every dollar once."""
