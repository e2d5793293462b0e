"""Which requests are made again, and after how long."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Mapping
from datetime import datetime, timezone
from functools import partial
from typing import Any, NamedTuple

import backoff

from tap_twilio_usage.money.parsers import mail_date
from tap_twilio_usage.twilio.errors import ApiError, Denied, RetriesExhausted, Transient
from tap_twilio_usage.twilio.limits import Limits
from tap_twilio_usage.twilio.transport import Json, Request

Attempt = Callable[[Request], Json]


class Retry(NamedTuple):
    """A try that is about to be made: `wait` is in seconds, `number` counts from 2."""

    request: Request
    error: ApiError
    wait: float
    number: int


def with_retries(
    attempt: Attempt, limits: Limits, on_retry: Callable[[Retry], None], *, tries_if_denied: int
) -> Attempt:
    """Return the function with retries, for requests that only read and may be made twice.

    Transient is tried `limits.tries` times and then becomes RetriesExhausted; Denied is tried
    `tries_if_denied` times. `on_retry` is called before each wait.
    """
    of_a_try = _retried(attempt, Transient, limits.tries, limits, on_retry)
    of_all_tries = _retried(of_a_try, Denied, tries_if_denied, limits, on_retry)

    def call(request: Request) -> Json:
        try:
            return of_all_tries(request)
        except Transient as error:
            raise RetriesExhausted(
                f"{request.name}: {error}; gave up after {limits.tries} tries"
            ) from None

    return call


def _retried(
    attempt: Attempt,
    error: type[ApiError],
    tries: int,
    limits: Limits,
    on_retry: Callable[[Retry], None],
) -> Attempt:
    def say(details: Any) -> None:
        (request,) = details["args"]
        wait = details["wait"] * limits.pace
        on_retry(Retry(request, details["exception"], wait, details["tries"] + 1))

    return backoff.on_exception(
        partial(waits, limits),
        error,
        max_tries=tries,
        jitter=lambda wait: jitter(wait) / limits.pace,
        on_backoff=say,
        logger=None,
    )(attempt)


def waits(limits: Limits) -> Generator[float, Exception, None]:
    """Yield the seconds to wait: doubled each time, and at least what Retry-After asks for.

    Each error is sent to the generator; the first value is not a wait.
    """
    wait = limits.first_wait
    error = yield 0
    while True:
        requested = getattr(error, "retry_after", None)
        error = yield max(wait, requested or 0)
        wait = min(2 * wait, limits.longest_wait)


def jitter(seconds: float) -> float:
    """Return the wait with up to a quarter added; never less, for Retry-After is a minimum."""
    return seconds * random.uniform(1, 1.25)  # noqa: S311


def retry_after(headers: Mapping[str, str], limits: Limits) -> float | None:
    """Return the seconds of Retry-After, given in either of its forms; None if it is invalid.

    Raises ApiError if it asks for a longer wait than the tap is willing to make.
    """
    text = headers.get("Retry-After", "").strip()
    try:
        seconds = float(text) if text.isdecimal() else _seconds_until(text)
    except (ValueError, TypeError, OverflowError):
        return None
    if seconds > limits.longest_retry_after:
        raise ApiError(
            f"Twilio asks for a wait of {seconds:.0f} s (Retry-After), more than the tap's maximum "
            f"of {limits.longest_retry_after:.0f} s; run again later"
        )
    return max(0.0, seconds)


def _seconds_until(text: str) -> float:
    return (mail_date(text) - datetime.now(timezone.utc)).total_seconds()
