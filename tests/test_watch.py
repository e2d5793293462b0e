"""No silence of more than a minute, here of less than a second."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import pytest

from tap_twilio_usage.logs import heartbeat as watch_module
from tap_twilio_usage.logs.heartbeat import Heartbeat

LOGGER = logging.getLogger("tap-test")


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    monkeypatch.setattr(watch_module, "LONGEST_SILENCE", 0.2)
    with caplog.at_level(logging.INFO):
        yield


def test_what_is_waited_for_is_said_again_and_again(caplog: pytest.LogCaptureFixture) -> None:
    with Heartbeat(LOGGER) as watch:
        with watch.over("the first"):
            pass
        with watch.over("the second"), watch.over("the third"):
            time.sleep(0.7)
    assert len(caplog.messages) >= 2
    for message in caplog.messages:
        assert message.startswith("still running: 1 requests answered, ")
        assert message.endswith(" s so far for the second")


def test_a_target_that_does_not_read_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with Heartbeat(LOGGER):
        time.sleep(0.3)
    assert "0 requests answered, none under way (is the target reading?)" in caplog.text


def test_nothing_is_said_while_others_speak(caplog: pytest.LogCaptureFixture) -> None:
    with Heartbeat(LOGGER):
        for _ in range(8):
            LOGGER.info("a line")
            time.sleep(0.05)
    assert set(caplog.messages) == {"a line"}


def test_nothing_is_said_after_the_end(caplog: pytest.LogCaptureFixture) -> None:
    with Heartbeat(LOGGER):
        pass
    time.sleep(0.3)
    assert not caplog.messages
