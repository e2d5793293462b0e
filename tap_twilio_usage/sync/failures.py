"""What could not be read though the rest could: said at once, and again at the end of the run."""

from __future__ import annotations

import logging

from tap_twilio_usage.errors import TapError
from tap_twilio_usage.twilio.errors import ApiError, RetriesExhausted

SHOWN_AT_THE_END = 3


class Failures:
    """The accounts and billing groups that failed in this run."""

    def __init__(self, logger: logging.Logger) -> None:
        """Begin with none."""
        self._logger = logger
        self._kinds: set[str] = set()
        self._errors: dict[str, str] = {}
        self._gave_up = False

    def __bool__(self) -> bool:
        """Tell whether there are any."""
        return bool(self._errors)

    def add(self, kind: str, what: str, error: ApiError) -> None:
        """Note that one of a kind failed, so that the others can go on.

        Raises the error where the one before gave up as well: then it is the service that does
        not answer, and each of hundreds of accounts would take minutes to fail.
        """
        if isinstance(error, RetriesExhausted) and self._gave_up:
            raise error
        self._gave_up = isinstance(error, RetriesExhausted)
        self._kinds.add(kind)
        self._errors.setdefault(what, str(error))
        self._logger.warning("%s failed and keeps its bookmark; the others go on: %s", what, error)

    def mark_success(self) -> None:
        """Note that one of them was read to its end."""
        self._gave_up = False

    def end(self) -> None:
        """Raise TapError if any failed."""
        if not self._errors:
            return
        reasons: dict[str, list[str]] = {}
        for what, error in self._errors.items():
            reasons.setdefault(error, []).append(what)
        lines = [f"{_some(whats, ', ')}: {error}" for error, whats in reasons.items()]
        kinds = " and ".join(sorted(self._kinds))
        raise TapError(f"some {kinds} failed, all else is complete: {_some(lines, '; ')}")


def _some(texts: list[str], separator: str) -> str:
    more = len(texts) - SHOWN_AT_THE_END
    shown = texts[:SHOWN_AT_THE_END] + ([f"and {more} more"] if more > 0 else [])
    return separator.join(shown)
