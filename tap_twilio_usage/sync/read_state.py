"""Reads the state that an earlier run wrote, and says in one line why it cannot be used. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from tap_twilio_usage.errors import TapError
from tap_twilio_usage.sync.state import BOOKMARK, State, StreamState, type_of

MARKERS = "progress_markers"  # of the SDK: checked, but not needed
REASONS = {
    "date": "is not a valid date",
    "array": "is not a list",
    "object": "is not a JSON object",
    "bool": "is not true or false",
    "str": "is not text",
}


def read_state(value: object, streams: Collection[str]) -> State:
    """Return the state that an earlier run wrote.

    Raises TapError, which says what is wrong where, if this tap cannot have written it.
    """
    found = _mapping(value, "it")
    if found.get("type") == "STATE":  # the whole message, as it stands in the tap's output
        found = _mapping(found.get("value"), "the value of the STATE message")
    if found and "bookmarks" not in found:
        raise _refused("it has no bookmarks")
    states = {}
    for stream, state in _mapping(found.get("bookmarks", {}), "bookmarks").items():
        if stream not in streams:
            raise _refused(f"{stream!r} is not a stream of this tap")
        states[stream] = _stream_state(stream, _mapping(state, stream))
    return State(states)


def _stream_state(stream: str, found: Mapping[str, Any]) -> StreamState:
    kind = type_of(stream)
    if BOOKMARK in found:
        raise _refused(f"the bookmark of {stream} belongs to no {kind.owner}")
    partitions = found.get("partitions", [])
    if not isinstance(partitions, list):
        raise _refused(f"partitions of {stream} is not a list")
    _mapping(found.get(MARKERS, {}), f"{MARKERS} of {stream}")
    typed = [_partition(stream, kind, partition) for partition in partitions]
    if len({partition.context for partition in typed}) < len(typed):
        raise _refused(f"{stream} has two bookmarks for one {kind.owner}")
    if kind is StreamState:
        return kind()
    state: StreamState = _convert({**found, "partitions": []}, kind, f"of {stream}")
    state.partitions = typed
    return state


def _partition(stream: str, kind: type[StreamState], found: object) -> Any:
    found = _mapping(found, f"a partition of {stream}")
    context = _mapping(found.get("context"), f"the context of a partition of {stream}")
    try:
        msgspec.convert(context, kind.context_type)
    except msgspec.ValidationError:
        raise _refused(f"a bookmark of {stream} belongs to no {kind.owner}") from None
    name = context.get("account_sid", "a billing group")
    _mapping(found.get(MARKERS, {}), f"{MARKERS} of {stream} for {name}")
    return _convert(found, kind.partition_type, f"of {stream} for {name}")


def _convert(value: Mapping[str, Any], kind: Any, where: str) -> Any:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise _refused(_reason(str(error), where)) from None


def _reason(message: str, where: str) -> str:
    """Return msgspec's message in the tap's words: which field, where, and what is wrong."""
    place = re.search(r" - at `\$\.(\w+)(?:\.(\w+))?", message)
    if place is None:  # from __post_init__
        name, _, rest = message.partition(" ")
        return f"{name} {where} {rest}"
    outer, inner = place.groups()
    if missing := re.match(r"Object missing required field `(\w+)`", message):
        return f"{missing[1]} is missing in {outer} {where}"
    field = f"{inner} in {outer}" if inner else outer
    expected = re.match(r"Expected `(\w+)", message)
    return f"{field} {where} {REASONS[expected[1] if expected else 'date']}"


def _mapping(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _refused(f"{what} is not a JSON object")
    return value


def _refused(why: str) -> TapError:
    return TapError(f"the state cannot be used: {why}; pass the last STATE of a run, or none")
