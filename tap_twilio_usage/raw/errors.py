"""The error that ends the command with one line."""

from __future__ import annotations


class RawError(Exception):
    """The reason why nothing is written: one line that says what to do."""
