"""The error that ends the report's command with one line."""

from __future__ import annotations


class ReportError(Exception):
    """The reason why there is no report: one line without secrets that says what to do."""
