"""What the credentials can read: checked before the first request, and by `--test`."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from singer_sdk.metrics import get_metrics_logger
from singer_sdk.singerlib import Catalog

from tap_twilio_usage.config import credentials
from tap_twilio_usage.config.connection import OF_CREDENTIALS
from tap_twilio_usage.config.credentials import Need
from tap_twilio_usage.config.settings import Settings
from tap_twilio_usage.errors import SettingsError, TapError
from tap_twilio_usage.logs.wording import Logger
from tap_twilio_usage.twilio.errors import RetriesExhausted

FOCUS_SOURCE = "usage_records_daily"
BILLING_STREAMS = "billing_group_records"  # how their names begin


class Stream(Protocol):
    """A stream of the tap, reduced to what is needed here."""

    name: str
    selected: bool
    ABORT_AT_RECORD_COUNT: int | None

    @property
    def logger(self) -> Logger:
        """The logger of its progress."""

    @property
    def need(self) -> Need:
        """What its credentials must be allowed to read."""

    @property
    def refused(self) -> Sequence[str]:
        """Why the contexts of some connections are not known, one line each."""

    def prepare(self) -> None:
        """Find out the contexts."""

    def contexts_to_test(self) -> Sequence[dict[str, Any]]:
        """Return a context for each set of credentials; none if it has no contexts."""

    def sync(self, context: Any = None) -> None:
        """Read one context, or all of them."""


class Tap(Protocol):
    """The tap, reduced to what is needed here."""

    @property
    def settings(self) -> Settings:
        """Its settings."""

    @property
    def twilio_streams(self) -> Iterable[Stream]:
        """Its streams."""

    @property
    def input_catalog(self) -> Catalog | None:
        """The catalog that it was started with, if any."""

    @property
    def logger(self) -> Logger:
        """Its log."""


def has_only_oauth(config: Mapping[str, Any]) -> bool:
    """Return whether the configuration has credentials for billing groups alone."""
    of_account = ("connections", *OF_CREDENTIALS)
    return bool(config.get("billing_group_ids")) and not any(map(config.get, of_account))


def check(tap: Tap) -> None:
    """Raise SettingsError, without a request, if a selected stream cannot be read."""
    _refuse(
        (name, why)
        for name, need in _needs(tap)
        for why in credentials.problems(tap.settings, need)
    )
    if tap.settings.focus and FOCUS_SOURCE not in _selected(tap):
        tap.logger.warning(
            "focus: no rows are loaded, because %s is not selected; select it", FOCUS_SOURCE
        )


def read_one_of_each(tap: Tap) -> None:
    """Read one record of every stream, and log whether the credentials can read it.

    Raises SettingsError if a selected stream cannot be read, and RetriesExhausted if nothing
    answers: each of the others would wait as long.
    """
    unreadable = []
    answered = False
    get_metrics_logger().setLevel(logging.WARNING)
    for stream in tap.twilio_streams:
        stream.logger.setLevel(logging.ERROR)  # its progress and anomalies are not asked for here
        selected, stream.selected = stream.selected, True
        found = credentials.problems(tap.settings, stream.need)
        if not found:
            failures = _failures(stream, of_each_connection=selected)
            if failures and not answered and isinstance(failures[0], RetriesExhausted):
                raise failures[0]
            answered = True
            found = [*map(str, failures)]
        if selected:
            unreadable += [(stream.name, why) for why in found]
        elif found:
            tap.logger.info("%s cannot be read, and is not selected: %s", stream.name, found[0])
        if not found:
            tap.logger.info("%s can be read", stream.name)
    _refuse(unreadable)


def _selected(tap: Tap) -> dict[str, Need]:
    return {stream.name: stream.need for stream in tap.twilio_streams if stream.selected}


def _needs(tap: Tap) -> Iterator[tuple[str, Need]]:
    yield from _selected(tap).items()
    # A catalog may select them though there is no billing_group_ids, and so no such stream.
    there = {stream.name for stream in tap.twilio_streams}
    for name, entry in (tap.input_catalog or {}).items():
        absent = name.startswith(BILLING_STREAMS) and name not in there
        if absent and entry.metadata.resolve_selection().get((), False):
            yield name, Need.BILLING_GROUPS


def _failures(stream: Stream, *, of_each_connection: bool) -> list[TapError]:
    """Return why the stream cannot be read: an error of each connection, or the first one."""
    stream.ABORT_AT_RECORD_COUNT = 1
    try:
        stream.prepare()
        found = [*map(TapError, stream.refused)]
        contexts = [*stream.contexts_to_test()]
    except TapError as error:
        return [error]
    is_billing = stream.need is Need.BILLING_GROUPS
    asked = contexts if of_each_connection or is_billing else contexts[:1]
    for context in asked or (None,):
        try:
            stream.sync(context)
        except TapError as error:
            found.append(error)
    return found


def _refuse(unreadable: Iterable[tuple[str, str]]) -> None:
    """Raise SettingsError with a line for each reason, naming the streams."""
    streams: dict[str, list[str]] = {}
    for name, why in unreadable:
        streams.setdefault(why, []).append(name)
    if streams:
        raise SettingsError([f"{', '.join(names)}: {why}" for why, names in streams.items()])
