"""The OAuth token: how long it is used, and when it is renewed."""

from __future__ import annotations

from typing import Any

import pytest
from requests import Request as Unsent

from tap_twilio_usage.twilio.auth import Bearer, OAuth, Unsigned
from tests.clients import client
from tests.http_server import Answer, LocalServer, serve


class Clock:
    """Seconds that a test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(("lifetime", "used_for"), [(3600.0, 3540), (100.0, 50), (1.0, 0.5)])
def test_a_token_is_due_before_it_expires(lifetime: float, used_for: float) -> None:
    clock = Clock()
    bearer = Bearer("token", lifetime, clock)
    clock.now += used_for - 0.1
    assert not bearer.is_due()
    clock.now += 0.2
    assert bearer.is_due()


def test_a_token_of_unknown_lifetime_is_never_due() -> None:
    clock = Clock()
    bearer = Bearer("token", None, clock)
    clock.now += 10**9
    assert not bearer.is_due()


def test_a_token_is_used_until_it_is_due_and_then_renewed() -> None:
    clock = Clock()
    with serve(tokens("first", "second")) as server:
        oauth = of(server, clock)
        before = [oauth.sign(), oauth.sign()]
        clock.now += 3600
        after = oauth.sign()
    assert [sent(each) for each in (*before, after)] == ["first", "first", "second"]


def test_a_refused_token_is_renewed_once() -> None:
    """A second refusal of the same token, on another thread, does not drop the new token."""
    with serve(tokens("first", "second", "third")) as server:
        oauth = of(server, Clock())
        first = oauth.sign()
        oauth.renew(first)
        second = oauth.sign()
        oauth.renew(first)
        third = oauth.sign()
    assert [sent(each) for each in (first, second, third)] == ["first", "second", "second"]


def tokens(*names: str) -> Any:
    left = iter(names)
    return lambda _: Answer.json({"access_token": next(left), "expires_in": 3600})


def of(server: LocalServer, clock: Clock) -> OAuth:
    return OAuth(client(server.url, Unsigned(), setting="oauth_token_url"), "id", "secret", clock)


def sent(auth: Any) -> str:
    request = Unsent("GET", "http://127.0.0.1", auth=auth).prepare()
    return request.headers["Authorization"].removeprefix("Bearer ")
