"""Failures of accounts, and when a failure ends the run."""

from __future__ import annotations

import logging

import pytest

from tap_twilio_usage.errors import TapError
from tap_twilio_usage.sync.failures import Failures
from tap_twilio_usage.twilio.errors import ApiError, RetriesExhausted


@pytest.fixture
def failures() -> Failures:
    return Failures(logging.getLogger("tap-test"))


def test_a_second_account_in_a_row_with_exhausted_retries_ends_the_run(failures: Failures) -> None:
    failures.add("accounts", "AC1", RetriesExhausted("no answer"))
    with pytest.raises(RetriesExhausted, match="no answer again"):
        failures.add("accounts", "AC2", RetriesExhausted("no answer again"))


@pytest.mark.parametrize("between", ["a success", "a refusal"])
def test_an_answer_between_two_failures_lets_the_run_continue(
    failures: Failures, between: str
) -> None:
    failures.add("accounts", "AC1", RetriesExhausted("no answer"))
    if between == "a success":
        failures.mark_success()
    else:
        failures.add("accounts", "AC2", ApiError("refused"))
    failures.add("accounts", "AC3", RetriesExhausted("no answer"))
    with pytest.raises(TapError, match=r"some accounts failed.*AC1, AC3: no answer"):
        failures.end()


def test_a_run_without_failures_ends_without_an_error(failures: Failures) -> None:
    failures.mark_success()
    failures.end()


def test_the_error_has_the_first_reason_and_at_most_three_names(failures: Failures) -> None:
    for number in range(5):
        failures.add("accounts", f"AC{number}", ApiError("first"))
        failures.add("accounts", f"AC{number}", ApiError("second"))
    for number in range(3):
        failures.add("billing groups", f"billing group {number}", ApiError(f"reason {number}"))
    with pytest.raises(TapError) as raised:
        failures.end()
    assert str(raised.value) == (
        "some accounts and billing groups failed; everything else is complete: AC0, AC1, AC2, and "
        "2 more: first; billing group 0: reason 0; billing group 1: reason 1; and 1 more"
    )
