"""The OAuth token: how long it is used, and who renews it."""

from __future__ import annotations

import logging
import time
from typing import Any

import pytest
from requests import Request as Unsent

from tap_twilio_usage.logs.heartbeat import Heartbeat
from tap_twilio_usage.logs.redaction import Redactor
from tap_twilio_usage.twilio.auth import Bearer, OAuth, Unsigned
from tap_twilio_usage.twilio.client import Client
from tests.http_server import Answer, serve


@pytest.mark.parametrize(("lifetime", "used_for"), [(3600.0, 3540), (100.0, 50), (1.0, 0.5)])
def test_a_token_is_due_before_it_expires(
    monkeypatch: pytest.MonkeyPatch, lifetime: float, used_for: float
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    bearer = Bearer("token", lifetime)
    now += used_for - 0.1
    assert not bearer.is_due()
    now += 0.2
    assert bearer.is_due()


def test_a_token_whose_life_is_not_said_is_never_due() -> None:
    assert not Bearer("token", None).is_due()


def test_a_refused_token_is_renewed_by_the_first_who_says_so() -> None:
    """Another thread's refusal of the same token does not cost the new one."""
    tokens = iter(["first", "second", "third"])

    def answer(_: Any) -> Answer:
        return Answer.json({"access_token": next(tokens), "expires_in": 3600})

    with serve(answer) as server:
        logger = logging.getLogger("tap-test")
        options: Any = {"setting": "oauth_token_url", "mask": Redactor(), "connections": 1}
        options["watch"] = Heartbeat(logger)
        oauth = OAuth(Client(server.url, Unsigned(), logger=logger, **options), "id", "secret")
        first = oauth.sign()
        oauth.renew(first)
        second = oauth.sign()
        oauth.renew(first)
        third = oauth.sign()
    assert [_sent(each) for each in (first, second, third)] == ["first", "second", "second"]


def _sent(auth: Any) -> str:
    request = Unsent("GET", "http://127.0.0.1", auth=auth).prepare()
    return request.headers["Authorization"].removeprefix("Bearer ")
