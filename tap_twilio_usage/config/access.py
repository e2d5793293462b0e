"""Whether the credentials fit the streams: before the first request, and one by one for --test."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from singer_sdk.metrics import get_metrics_logger

from tap_twilio_usage.errors import SettingsError, TapError
from tap_twilio_usage.focus.columns import STREAM as FOCUS
from tap_twilio_usage.streams.base import TwilioStream
from tap_twilio_usage.streams.billing_groups import BILLING_STREAMS
from tap_twilio_usage.twilio import auth
from tap_twilio_usage.twilio.auth import Need

if TYPE_CHECKING:
    from tap_twilio_usage.tap import TapTwilioUsage


def check(tap: TapTwilioUsage) -> None:
    """Raise SettingsError, without a request, if a selected stream cannot be read."""
    _refuse(
        (name, why) for name, need in _selected(tap) if (why := auth.problem(tap.settings, need))
    )
    source = tap.streams["usage_records_daily"]
    if tap.settings.focus and not source.selected:
        tap.logger.warning("%s comes with %s, which is not selected", FOCUS, source.name)


def read_one_of_each(tap: TapTwilioUsage) -> None:
    """Read a record of every stream and say whether these credentials can read it.

    Raises SettingsError if one that is selected cannot be read.
    """
    unreadable = []
    get_metrics_logger().setLevel(logging.WARNING)
    for stream in _streams(tap):
        stream.logger.setLevel(logging.ERROR)  # how far it is, what is odd: not asked for here
        selected, stream.selected = stream.selected, True
        why = auth.problem(tap.settings, stream.need) or _failure(stream)
        if why and selected:
            unreadable.append((stream.name, why))
        elif why:
            tap.logger.info("%s cannot be read, and is not selected: %s", stream.name, why)
        else:
            tap.logger.info("%s can be read", stream.name)
    _refuse(unreadable)


def _failure(stream: TwilioStream) -> str | None:
    stream.ABORT_AT_RECORD_COUNT = 1
    try:
        contexts = stream.partitions or []
        for context in contexts if stream.need is Need.BILLING_GROUPS else contexts[:1]:
            stream.sync(context)
        if not contexts:
            stream.sync()
    except TapError as error:
        return str(error)
    return None


def _streams(tap: TapTwilioUsage) -> Iterator[TwilioStream]:
    return (stream for stream in tap.streams.values() if isinstance(stream, TwilioStream))


def _selected(tap: TapTwilioUsage) -> Iterator[tuple[str, Need]]:
    yield from ((stream.name, stream.need) for stream in _streams(tap) if stream.selected)
    # A catalog may have them though there is no billing_group_ids.
    for name, entry in (tap.input_catalog or {}).items():
        absent = name in BILLING_STREAMS and name not in tap.streams
        if absent and entry.metadata.resolve_selection().get((), False):
            yield name, Need.BILLING_GROUPS


def _refuse(unreadable: Iterable[tuple[str, str]]) -> None:
    """Raise SettingsError with a line for each reason, naming the streams."""
    streams: dict[str, list[str]] = {}
    for name, why in unreadable:
        streams.setdefault(why, []).append(name)
    if streams:
        raise SettingsError([f"{', '.join(names)}: {why}" for why, names in streams.items()])
