"""What the report's command says in one line."""

from __future__ import annotations


class ReportError(Exception):
    """Why there is no report: a sentence that a user can act on, with no secret in it."""
