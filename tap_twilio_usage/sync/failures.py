"""Accounts and billing groups that cannot be read in a run that reads others.

Each failure is logged at once, and all of them again at the end of the run.
"""

from __future__ import annotations

import logging

from tap_twilio_usage.errors import TapError
from tap_twilio_usage.logs.wording import some
from tap_twilio_usage.twilio.errors import ApiError, RetriesExhausted


class Failures:
    """The accounts and billing groups that failed in this run."""

    def __init__(self, logger: logging.Logger) -> None:
        """Start without failures."""
        self._logger = logger
        self._kinds: set[str] = set()
        self._errors: dict[str, str] = {}
        self._retries_exhausted = False

    def __bool__(self) -> bool:
        """Return whether anything failed."""
        return bool(self._errors)

    def add(self, kind: str, name: str, error: ApiError) -> None:
        """Record the failure of an account or a billing group, so that the run can continue.

        Raises the error if the retries of this one and of the one before were exhausted: then
        Twilio does not answer at all, and each of hundreds of accounts would take minutes to fail.
        """
        if isinstance(error, RetriesExhausted) and self._retries_exhausted:
            raise error
        self._retries_exhausted = isinstance(error, RetriesExhausted)
        self._kinds.add(kind)
        self._errors.setdefault(name, str(error))
        self._logger.warning(
            "%s failed and keeps its bookmark; continuing with the others: %s", name, error
        )

    def mark_success(self) -> None:
        """Record that an account or a billing group was read completely."""
        self._retries_exhausted = False

    def end(self) -> None:
        """Raise TapError if anything failed."""
        if not self._errors:
            return
        reasons: dict[str, list[str]] = {}
        for name, error in self._errors.items():
            reasons.setdefault(error, []).append(name)
        lines = [f"{some(names)}: {error}" for error, names in reasons.items()]
        kinds = " and ".join(sorted(self._kinds))
        raise TapError(f"some {kinds} failed; everything else is complete: {some(lines, '; ')}")
