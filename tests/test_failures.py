"""What is noted of accounts that fail, and when a failure is everyone's."""

from __future__ import annotations

import logging

import pytest

from tap_twilio_usage.errors import TapError
from tap_twilio_usage.sync.failures import Failures
from tap_twilio_usage.twilio.errors import ApiError, RetriesExhausted


@pytest.fixture
def failures() -> Failures:
    return Failures(logging.getLogger("tap-test"))


def test_two_in_a_row_that_give_up_are_the_service(failures: Failures) -> None:
    failures.add("accounts", "AC1", RetriesExhausted("no answer"))
    with pytest.raises(RetriesExhausted, match="still none"):
        failures.add("accounts", "AC2", RetriesExhausted("still none"))


@pytest.mark.parametrize("between", ["one that was read", "one that was refused"])
def test_others_in_between_show_that_it_answers(failures: Failures, between: str) -> None:
    failures.add("accounts", "AC1", RetriesExhausted("no answer"))
    if between == "one that was read":
        failures.mark_success()
    else:
        failures.add("accounts", "AC2", ApiError("refused"))
    failures.add("accounts", "AC3", RetriesExhausted("no answer"))
    with pytest.raises(TapError, match=r"some accounts failed.*AC1, AC3: no answer"):
        failures.end()


def test_none_is_no_failure(failures: Failures) -> None:
    failures.mark_success()
    failures.end()


def test_the_first_reason_stands_and_long_lists_are_cut(failures: Failures) -> None:
    for number in range(5):
        failures.add("accounts", f"AC{number}", ApiError("first"))
        failures.add("accounts", f"AC{number}", ApiError("second"))
    for number in range(3):
        failures.add("billing groups", f"billing group {number}", ApiError(f"reason {number}"))
    with pytest.raises(TapError) as raised:
        failures.end()
    assert str(raised.value) == (
        "some accounts and billing groups failed, all else is complete: AC0, AC1, AC2, and 2 more: "
        "first; billing group 0: reason 0; billing group 1: reason 1; and 1 more"
    )
