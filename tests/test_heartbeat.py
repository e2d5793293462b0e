"""The log is never silent for more than a minute, here for more than a fraction of a second."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator

import pytest

from tap_twilio_usage.logs.heartbeat import Heartbeat

SILENCE = 0.1  # seconds
LONGEST = 60.0  # seconds that a test waits for a line, on however busy a machine


class Lines(logging.Handler):
    """Keeps the lines of a log, and waits for them."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []
        self._changed = threading.Condition()

    def emit(self, record: logging.LogRecord) -> None:
        with self._changed:
            self.messages.append(record.getMessage())
            self._changed.notify_all()

    def wait_for(self, number: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.messages) >= number, LONGEST)


@pytest.fixture
def logger() -> logging.Logger:
    logger = logging.getLogger("heartbeat-test")
    logger.setLevel(logging.INFO)
    return logger


@pytest.fixture
def lines(logger: logging.Logger) -> Iterator[Lines]:
    lines = Lines()
    logger.addHandler(lines)
    yield lines
    logger.removeHandler(lines)


def test_the_request_in_progress_is_logged_again_and_again(
    logger: logging.Logger, lines: Lines
) -> None:
    with Heartbeat(logger, SILENCE) as heartbeat:
        with heartbeat.over("the first"):
            pass
        with heartbeat.over("the second"), heartbeat.over("the third"):
            lines.wait_for(2)
    for message in lines.messages:
        assert message.startswith("still running: 1 request answered, waiting for the second ("), (
            message
        )
        assert message.endswith(" s so far)")


def test_a_target_that_does_not_read_is_logged(logger: logging.Logger, lines: Lines) -> None:
    with Heartbeat(logger, SILENCE):
        lines.wait_for(1)
    assert lines.messages[0] == (
        "still running: 0 requests answered, none in progress; waiting for the target to read"
    )


def test_a_request_that_failed_is_neither_answered_nor_in_progress(
    logger: logging.Logger, lines: Lines
) -> None:
    with Heartbeat(logger, SILENCE) as heartbeat:
        with pytest.raises(OSError, match="refused"), heartbeat.over("the first"):
            raise OSError("refused")
        lines.wait_for(1)
    assert lines.messages[0].startswith("still running: 0 requests answered, none in progress")


def test_other_lines_postpone_it(logger: logging.Logger, lines: Lines) -> None:
    silence = 30.0  # seconds, far longer than the test takes
    with Heartbeat(logger, silence) as heartbeat:
        heartbeat._last_line -= 2 * silence  # as if nothing had been logged for that long
        logger.info("a line")
        assert heartbeat._last_line > time.monotonic() - silence
    assert lines.messages == ["a line"]


def test_nothing_is_logged_after_the_end(logger: logging.Logger, lines: Lines) -> None:
    before = threading.active_count()
    with Heartbeat(logger, SILENCE):
        lines.wait_for(1)
    deadline = time.monotonic() + LONGEST
    while threading.active_count() > before:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    number = len(lines.messages)
    logger.info("a line")
    assert lines.messages[number:] == ["a line"]
    assert not lines.filters
