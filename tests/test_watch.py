"""No silence of more than a minute, here of less than a second."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from itertools import pairwise

import pytest

from tap_twilio_usage.logs import heartbeat as watch_module
from tap_twilio_usage.logs.heartbeat import Heartbeat
from tests.waiting import until

LOGGER = logging.getLogger("tap-test")
SILENCE = 0.2  # seconds


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    monkeypatch.setattr(watch_module, "LONGEST_SILENCE", SILENCE)
    with caplog.at_level(logging.INFO):
        yield


def test_what_is_waited_for_is_said_again_and_again(caplog: pytest.LogCaptureFixture) -> None:
    with Heartbeat(LOGGER) as watch:
        with watch.over("the first"):
            pass
        with watch.over("the second"), watch.over("the third"):
            until(lambda: len(caplog.messages) >= 2)
    for message in caplog.messages:
        assert message.startswith("still running: 1 requests answered, ")
        assert message.endswith(" s so far for the second")


def test_a_target_that_does_not_read_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with Heartbeat(LOGGER):
        until(lambda: bool(caplog.messages))
    assert "0 requests answered, none under way (is the target reading?)" in caplog.text


def test_nothing_is_said_while_others_speak(caplog: pytest.LogCaptureFixture) -> None:
    """Or not before they have been silent for so long, which may be on a busy machine."""
    with Heartbeat(LOGGER):
        for _ in range(8):
            LOGGER.info("a line")
            time.sleep(SILENCE / 4)
    assert caplog.messages.count("a line") == 8
    for before, after in pairwise(caplog.records):
        silence = after.created - before.created
        assert after.getMessage() == "a line" or silence > 0.9 * SILENCE


def test_nothing_is_said_after_the_end(caplog: pytest.LogCaptureFixture) -> None:
    with Heartbeat(LOGGER):
        pass
    time.sleep(1.5 * SILENCE)
    assert not caplog.messages
