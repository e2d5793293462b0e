"""Twilio's APIs over HTTP. Nothing here knows Singer."""
