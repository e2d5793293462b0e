"""Writes usage records many at a time, without the SDK's processing of each record.

That processing takes ten times as long as everything else in a run. The SDK still writes the
records if a setting requires it: the user's `stream_maps`, flattening, batches, --test. The
messages are the same either way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from singer_sdk.contrib.msgspec import encoder
from singer_sdk.mapper import StreamMap
from singer_sdk.singerlib import RecordMessage

from tap_twilio_usage.money.usage_record import UsageRecord
from tap_twilio_usage.singer.stream_maps import FLAG, Flagging

Write = Callable[[Sequence[UsageRecord]], None]


def bulk_writer(
    stream_name: str,
    stream_maps: Sequence[StreamMap],
    *,
    own_schema: Mapping[str, Any],
    effective_schema: Mapping[str, Any],
    write_lines: Callable[[bytes, int], None],
) -> Write | None:
    """Return a function that writes records of the stream; None if the SDK has to write them.

    `own_schema` is the schema of the stream, `effective_schema` the one of the user's catalog.
    """
    stream_map, *others = stream_maps
    if others or not isinstance(stream_map, Flagging) or not stream_map.only_flags:
        return None
    described, ours = effective_schema["properties"], own_schema["properties"]
    if any(_type(described[field]) != _type(ours[field]) for field in ours.keys() & described):
        return None  # the user's catalog changes a type
    flag = stream_map.flag
    selected = stream_map.transformed_schema["properties"].keys() - (set() if flag else {FLAG})
    fields = [field for field in UsageRecord.__struct_fields__ if field in selected]
    are_all = len(fields) == len(UsageRecord.__struct_fields__)
    decimals = stream_map.decimals

    def write(records: Sequence[UsageRecord]) -> None:
        if not records:
            return
        for record in records:
            if flag:
                record.counts_in_total = flag.of(record.price, record.deduplicated_price)
        chosen: Iterable[object] = records
        if decimals:
            chosen = (decimals.convert(_only(fields, record)) for record in records)
        elif not are_all:
            chosen = (_only(fields, record) for record in records)
        write_lines(messages(stream_name, chosen), len(records))

    return write


def messages(stream_name: str, records: Iterable[object]) -> bytes:
    """Return a RECORD message for each record, one on each line."""
    extracted = datetime.now(timezone.utc)
    message = RecordMessage(stream_name, {}, time_extracted=extracted).to_dict()
    return encoder.encode_lines({**message, "record": record} for record in records)


def _type(described: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a property's schema says about its values.

    The catalog of an older version has other descriptions, and may have another order of types.
    """
    types = described.get("type", [])
    kept = {keyword: value for keyword, value in described.items() if keyword != "description"}
    return {**kept, "type": {types} if isinstance(types, str) else {*types}}


def _only(fields: Sequence[str], record: UsageRecord) -> dict[str, object]:
    return {field: getattr(record, field) for field in fields}
