"""A local server in place of Twilio, which reports the usage of an invented company."""

from sandbox.billing_form import BillingForm
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
    connections,
)
from sandbox.faults import FAULTS, AtRandom, Reply
from sandbox.oauth import CLIENT_ID, CLIENT_SECRET
from sandbox.server import Request, Server

__all__ = [
    "API_KEY_SECRET",
    "API_KEY_SID",
    "AUTH_TOKEN",
    "BILLING_GROUP_IDS",
    "CLIENT_ID",
    "CLIENT_SECRET",
    "FAULTS",
    "LEGACY_BILLING_GROUP_ID",
    "MAIN_SID",
    "Account",
    "AtRandom",
    "BillingForm",
    "BillingRow",
    "Charge",
    "Company",
    "Reply",
    "Request",
    "Row",
    "Server",
    "connections",
]
