"""The tap as a source of dlt, for any destination of dlt. Needs the extra `dlt`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tap_twilio_usage.dlt.source import twilio_usage

__all__ = ["twilio_usage"]


def __getattr__(name: str) -> Any:
    """Import the source only when it is used, so that the command can say what is not installed."""
    if name not in __all__:
        raise AttributeError(name)
    from tap_twilio_usage.dlt import source  # noqa: PLC0415

    return getattr(source, name)
