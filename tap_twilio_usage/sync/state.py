"""The Singer state: its shape, and the bookmark of one account or billing group. Pure.

`{"bookmarks": {"usage_records_daily": {"partitions": [{"context": {"account_sid": "AC...",
"includes_subaccounts": true}, "replication_key": "start_date", "replication_key_value":
"2026-01-31", "first_day": "2026-01-01", "used_categories": ["calls", ...]}]}}}`. A bookmark is
the first day of the last period that was emitted whole, `first_day` the first one ever read.

A subaccount's partition names its `main_account_sid`. When its rows become zero, `last_day` is what
its bookmark was, and `withdrawn` the day up to which they are zero. After a change of `subaccounts`
all days up to `catch_up_to` are read, whatever `start_date` says. For `older_days` and `billed` see
their modules. While rows of FOCUS go out, the stream's state says up to which day (`billed_up_to`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from typing import Any

from tap_twilio_usage.errors import TapError
from tap_twilio_usage.money import parsers

REPLICATION_KEY = "start_date"
BOOKMARK = "replication_key_value"
FIRST_DAY = "first_day"
USED_CATEGORIES = "used_categories"
MAIN_ACCOUNT = "main_account_sid"
CATCH_UP_TO = "catch_up_to"
LAST_DAY = "last_day"
WITHDRAWN = "withdrawn"
OLDER_DAYS = "older_days"
BILLED = "billed"
BILLED_UP_TO = "billed_up_to"
ACCOUNT_NAME = "account_name"
PROGRESS_MARKERS = "progress_markers"  # of the SDK, which reads them

Partition = dict[str, Any]
USAGE = {"account_sid": str, "includes_subaccounts": bool}
BILLING = {"billing_group_id": str}


def check(state: object, streams: Collection[str]) -> None:
    """Raise TapError, naming the place, unless the state is one that this tap wrote."""
    bookmarks = _mapping(state, "it").get("bookmarks", {})
    for stream, value in _mapping(bookmarks, "bookmarks").items():
        if stream not in streams:
            raise _refused(f"{stream!r} is no stream of this tap")
        if BOOKMARK in _mapping(value, stream):
            raise _refused(f"the bookmark of {stream} belongs to no {_owner(stream)}")
        _mapping(value.get(PROGRESS_MARKERS, {}), f"{PROGRESS_MARKERS} of {stream}")
        if not isinstance(value.get(BILLED_UP_TO, ""), str):
            raise _refused(f"{BILLED_UP_TO} of {stream} is no date")
        partitions = value.get("partitions", [])
        if not isinstance(partitions, list):
            raise _refused(f"the partitions of {stream} are no list")
        contexts = [_context(partition, stream) for partition in partitions]
        if len(contexts) > len(set(contexts)):
            raise _refused(f"{stream} has two bookmarks for one {_owner(stream)}")


def bookmark(partition: Mapping[str, Any]) -> date | None:
    """Give the last day that was emitted whole."""
    return _day(partition, BOOKMARK)


def first_day(partition: Mapping[str, Any]) -> date | None:
    """Give the first day that was ever read."""
    return _day(partition, FIRST_DAY)


def begin(partition: Partition, day: date) -> bool:
    """Note the first day that is read, unless an earlier one was; tell whether that is new.

    From then on, and so before the first row goes out, the target may have rows of it.
    """
    began = first_day(partition)
    partition[FIRST_DAY] = min(began or day, day).isoformat()
    withdrawn = partition.pop(WITHDRAWN, None)
    return withdrawn is not None or began != first_day(partition)


def catch_up(partition: Partition, day: date) -> None:
    """Have all days up to this one read, from the first one on, however often it is cut off."""
    partition[CATCH_UP_TO] = max(day.isoformat(), partition.get(CATCH_UP_TO, ""))


def take_over(partition: Partition, partitions: list[Partition], last_day: date) -> None:
    """Let a partition follow the account's others, whose rows in the target have the same keys.

    After a change of `subaccounts` every row that they loaded has to be overwritten, zeros
    included: their categories count as used and their days as begun. They are dropped, so that a
    change back reads it all again. Until `last_day` at least there may be rows of theirs.
    """
    account_sid = partition["context"]["account_sid"]
    others = [
        other
        for other in partitions
        if other is not partition and other["context"]["account_sid"] == account_sid
    ]
    for other in others:
        partitions.remove(other)
        if began := first_day(other) or bookmark(other):
            begin(partition, began)
            partition.pop(BOOKMARK, None)
            for day in (last_day, bookmark(other), _day(other, CATCH_UP_TO)):
                catch_up(partition, day or last_day)
            used = {*partition.get(USED_CATEGORIES, ()), *other.get(USED_CATEGORIES, ())}
            partition[USED_CATEGORIES] = sorted(used)
            if BILLED in other:
                partition[BILLED] = {}


def account_names(partitions: Iterable[Partition]) -> dict[str, str]:
    """Give the names of accounts as far as Twilio has said them, by SID."""
    return {
        partition["context"]["account_sid"]: partition[ACCOUNT_NAME]
        for partition in partitions
        if ACCOUNT_NAME in partition
    }


def may_have_loaded(partition: Partition) -> str:
    """Give the last day of which the target may have rows, of a run that ended; "" for none."""
    days: list[str] = [partition.get(key, "") for key in (BOOKMARK, CATCH_UP_TO, LAST_DAY)]
    return max(days)


def holds_subaccounts(partitions: Iterable[Partition], account_sid: str) -> bool:
    """Tell whether rows of the account in the target may still have subaccounts inside."""
    return any(
        CATCH_UP_TO in partition
        or (FIRST_DAY in partition and partition["context"]["includes_subaccounts"])
        for partition in partitions
        if partition["context"]["account_sid"] == account_sid
    )


def to_withdraw(partitions: Iterable[Partition], main_account_sid: str) -> list[Partition]:
    """Give the partitions of the main account's subaccounts that may have rows in the target."""
    return [
        partition
        for partition in partitions
        if partition.get(MAIN_ACCOUNT) == main_account_sid
        and partition.get(FIRST_DAY)
        and (
            BOOKMARK in partition
            or WITHDRAWN not in partition
            or partition[WITHDRAWN] < partition.get(LAST_DAY, "")
        )
    ]


def begin_to_withdraw(partition: Partition) -> None:
    """Note, before the first row becomes zero, that all of them are read again if need be."""
    if loaded := partition.pop(BOOKMARK, None):
        partition[LAST_DAY] = max(loaded, partition.get(LAST_DAY, ""))


def withdraw(partition: Partition, last_day: date) -> None:
    """Note that the rows are zero up to a day; those after it, if any, are left for another run."""
    partition[WITHDRAWN] = last_day.isoformat()


def since(partitions: Iterable[Partition], main_account_sid: str) -> date | None:
    """Give the first day that was ever read of the main account or one of its subaccounts."""
    days = (
        first_day(partition)
        for partition in partitions
        if main_account_sid in (partition["context"]["account_sid"], partition.get(MAIN_ACCOUNT))
    )
    return min(filter(None, days), default=None)


def advance(partition: Partition, day: date) -> None:
    """Move the bookmark to a period that was emitted whole; never back."""
    last = bookmark(partition)
    if last is None or day > last:
        partition["replication_key"] = REPLICATION_KEY
        partition[BOOKMARK] = day.isoformat()
    if CATCH_UP_TO in partition and partition[BOOKMARK] >= partition[CATCH_UP_TO]:
        has_caught_up(partition)


def has_caught_up(partition: Partition) -> None:
    """Note that no row of another choice of `subaccounts` is left."""
    partition.pop(CATCH_UP_TO, None)


def _owner(stream: str) -> str:
    return "billing group" if stream.startswith("billing_group") else "account"


def _context(partition: object, stream: str) -> tuple[Any, ...]:
    partition = _mapping(partition, f"a partition of {stream}")
    context = _mapping(partition.get("context"), f"the context of a partition of {stream}")
    kinds = BILLING if stream.startswith("billing_group") else USAGE
    if not all(isinstance(context.get(key), kind) for key, kind in kinds.items()):
        raise _refused(f"a bookmark of {stream} belongs to no {_owner(stream)}")
    what = f"{stream} for {context.get('account_sid', 'a billing group')}"
    try:
        for key in (BOOKMARK, FIRST_DAY, CATCH_UP_TO, LAST_DAY, WITHDRAWN):
            _day(partition, key)
    except ValueError:
        raise _refused(f"the bookmark of {what} is no date") from None
    _names(partition.get(USED_CATEGORIES, []), f"{USED_CATEGORIES} of {what}")
    if not isinstance(partition.get(ACCOUNT_NAME, ""), str):
        raise _refused(f"{ACCOUNT_NAME} of {what} is no text")
    billed = _mapping(partition.get(BILLED, {}), f"{BILLED} of {what}")
    _mapping(billed.get("days", {}), f"days of {BILLED} of {what}")
    _mapping(partition.get(PROGRESS_MARKERS, {}), f"{PROGRESS_MARKERS} of {what}")
    older = _mapping(partition.get(OLDER_DAYS, {}), f"{OLDER_DAYS} of {what}")
    try:
        if older:
            parsers.day(older.get("day")), parsers.day(older.get("read_on"))
    except ValueError:
        raise _refused(f"a date is missing in {OLDER_DAYS} of {what}") from None
    return tuple(context[key] for key in kinds)


def _day(partition: Mapping[str, Any], key: str) -> date | None:
    value = partition.get(key)
    return parsers.day(value) if value is not None else None


def _mapping(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _refused(f"{what} is no JSON object")
    return value


def _names(value: object, what: str) -> None:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise _refused(f"{what} is no list of names")


def _refused(why: str) -> TapError:
    return TapError(f"the state cannot be used: {why}; pass the last STATE of a run, or none")
