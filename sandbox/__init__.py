"""A local stand-in for Twilio: an invented company and an HTTP server that reports its usage."""

from sandbox.company import (
    API_KEY_SECRET,
    API_KEY_SID,
    AUTH_TOKEN,
    MAIN_SID,
    Account,
    Charge,
    Company,
    Row,
)
from sandbox.server import Request, Server

__all__ = [
    "API_KEY_SECRET",
    "API_KEY_SID",
    "AUTH_TOKEN",
    "MAIN_SID",
    "Account",
    "Charge",
    "Company",
    "Request",
    "Row",
    "Server",
]
