"""A local stand-in for Twilio: an invented company and an HTTP server that reports its usage."""

from sandbox.company import (
    API_KEY_SECRET,
    API_KEY_SID,
    AUTH_TOKEN,
    BILLING_GROUP_IDS,
    LEGACY_BILLING_GROUP_ID,
    MAIN_SID,
    Account,
    BillingRow,
    Charge,
    Company,
    Row,
)
from sandbox.oauth import CLIENT_ID, CLIENT_SECRET
from sandbox.server import Request, Server

__all__ = [
    "API_KEY_SECRET",
    "API_KEY_SID",
    "AUTH_TOKEN",
    "BILLING_GROUP_IDS",
    "CLIENT_ID",
    "CLIENT_SECRET",
    "LEGACY_BILLING_GROUP_ID",
    "MAIN_SID",
    "Account",
    "BillingRow",
    "Charge",
    "Company",
    "Request",
    "Row",
    "Server",
]
