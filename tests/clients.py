"""Clients for tests, with short waits."""

from __future__ import annotations

import logging

from tap_twilio_usage.logs.heartbeat import Heartbeat
from tap_twilio_usage.logs.redaction import Redactor
from tap_twilio_usage.twilio.auth import Basic, Credentials
from tap_twilio_usage.twilio.client import Client
from tap_twilio_usage.twilio.limits import Limits
from tests.twilio import TOKEN

LOGGER = logging.getLogger("tap-test")
FAST = Limits(first_wait=0.001)


def client(
    url: str,
    credentials: Credentials | None = None,
    *,
    limits: Limits = FAST,
    connections: int = 2,
    setting: str = "api_url",
) -> Client:
    return Client(
        url,
        credentials or Basic("AC", TOKEN),
        setting=setting,
        redactor=Redactor([TOKEN]),
        heartbeat=Heartbeat(LOGGER, limits.silence),
        connections=connections,
        limits=limits,
        logger=LOGGER,
    )
