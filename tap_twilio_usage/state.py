"""The Singer state: its shape, and the bookmark of one account. Pure.

`{"bookmarks": {"usage_records_daily": {"partitions": [{"context": {"account_sid": "AC...",
"includes_subaccounts": true}, "replication_key": "start_date", "replication_key_value":
"2026-01-31", "first_day": "2026-01-01", "used_categories": ["calls", ...]}]}}}`. A bookmark is
the last day that was emitted whole, `first_day` the first one ever read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, MutableMapping
from datetime import date
from typing import Any

from tap_twilio_usage import records
from tap_twilio_usage.errors import TapError

REPLICATION_KEY = "start_date"
BOOKMARK = "replication_key_value"
FIRST_DAY = "first_day"
USED_CATEGORIES = "used_categories"


def check(state: object, streams: Collection[str]) -> None:
    """Raise TapError, naming the place, unless the state is one that this tap wrote."""
    bookmarks = _mapping(state, "it").get("bookmarks", {})
    for stream, value in _mapping(bookmarks, "bookmarks").items():
        if stream not in streams:
            raise _refused(f"{stream!r} is no stream of this tap")
        if BOOKMARK in _mapping(value, stream):
            raise _refused(f"the bookmark of {stream} belongs to no account")
        partitions = value.get("partitions", [])
        if not isinstance(partitions, list):
            raise _refused(f"the partitions of {stream} are no list")
        contexts = [_context(partition, stream) for partition in partitions]
        if len(contexts) > len(set(contexts)):
            raise _refused(f"{stream} has two bookmarks for one account")


def bookmark(partition: Mapping[str, Any]) -> date | None:
    """Give the last day that was emitted whole."""
    return _day(partition, BOOKMARK)


def first_day(partition: Mapping[str, Any]) -> date | None:
    """Give the first day that was ever read."""
    return _day(partition, FIRST_DAY)


def begin(partition: MutableMapping[str, Any], day: date) -> None:
    """Note the first day that is read, unless an earlier one was."""
    partition[FIRST_DAY] = min(first_day(partition) or day, day).isoformat()


def take_over(
    partition: MutableMapping[str, Any], partitions: Iterable[MutableMapping[str, Any]]
) -> None:
    """Let a partition follow the account's others, whose rows in the target have the same keys.

    After a change of `subaccounts` every row that they loaded has to be overwritten, zeros
    included: their categories count as used and their days as begun, and their bookmarks go, so
    that a change back reads it all again.
    """
    for other in partitions:
        mine = other["context"]["account_sid"] == partition["context"]["account_sid"]
        if mine and other is not partition and other.pop(BOOKMARK, None):
            partition.pop(BOOKMARK, None)
            used = {*partition.get(USED_CATEGORIES, ()), *other.get(USED_CATEGORIES, ())}
            partition[USED_CATEGORIES] = sorted(used)
            if since := first_day(other):
                begin(partition, since)


def advance(partition: MutableMapping[str, Any], day: date) -> None:
    """Move the bookmark to a day that was emitted whole; never back."""
    last = bookmark(partition)
    if last is None or day > last:
        partition["replication_key"] = REPLICATION_KEY
        partition[BOOKMARK] = day.isoformat()


def _context(partition: object, stream: str) -> tuple[str, bool]:
    partition = _mapping(partition, f"a partition of {stream}")
    context = _mapping(partition.get("context"), f"the context of a partition of {stream}")
    account_sid, includes = context.get("account_sid"), context.get("includes_subaccounts")
    if not isinstance(account_sid, str) or not isinstance(includes, bool):
        raise _refused(f"a bookmark of {stream} belongs to no account")
    try:
        bookmark(partition), first_day(partition)
    except ValueError:
        raise _refused(f"the bookmark of {stream} for {account_sid} is no date") from None
    used = partition.get(USED_CATEGORIES, [])
    if not isinstance(used, list) or not all(isinstance(category, str) for category in used):
        raise _refused(f"{USED_CATEGORIES} of {stream} for {account_sid} is no list of names")
    return account_sid, includes


def _day(partition: Mapping[str, Any], key: str) -> date | None:
    value = partition.get(key)
    return records.day(value) if value is not None else None


def _mapping(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _refused(f"{what} is no JSON object")
    return value


def _refused(why: str) -> TapError:
    return TapError(f"the state cannot be used: {why}; pass the last STATE of a run, or none")
