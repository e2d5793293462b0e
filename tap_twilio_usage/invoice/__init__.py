"""Reads Twilio's invoice CSVs: `python -m tap_twilio_usage.invoice FILE...`."""
