"""Usage records written many at a time, past what the SDK does for each one.

For that takes ten times as long as all the rest. Where there is something to do for each record
(a user's `stream_maps`, flattening, batches, --test) the SDK does it. Both write the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from singer_sdk.contrib.msgspec import encoder
from singer_sdk.helpers._util import utc_now
from singer_sdk.singerlib import RecordMessage

from tap_twilio_usage.money.usage_record import UsageRecord
from tap_twilio_usage.singer.stream_maps import FLAG, Flagging

if TYPE_CHECKING:
    from tap_twilio_usage.streams.usage_records import UsageRecordsStream


def writer(stream: UsageRecordsStream) -> Callable[[Sequence[UsageRecord]], None] | None:
    """Give what writes records of the stream; None where the SDK has to."""
    if stream.ABORT_AT_RECORD_COUNT is not None or stream.get_batch_config(stream.config):
        return None
    stream_map, *others = stream.stream_maps
    if others or not isinstance(stream_map, Flagging) or not stream_map.only_flags:
        return None
    described, ours = stream.effective_schema["properties"], type(stream).schema["properties"]
    if any(described[field] != ours[field] for field in ours.keys() & described.keys()):
        return None  # a catalog of the user's has other types
    flag = stream_map.flag
    selected = stream_map.transformed_schema["properties"].keys() - (set() if flag else {FLAG})
    fields = [field for field in UsageRecord.__struct_fields__ if field in selected]
    are_all = len(fields) == len(UsageRecord.__struct_fields__)

    def write(records: Sequence[UsageRecord]) -> None:
        if not records:
            return
        for record in records:
            if flag:
                record.counts_in_total = flag.of(record.price, record.deduplicated_price)
        chosen = records if are_all else (_only(fields, record) for record in records)
        stream.write_lines(messages(stream.name, chosen), len(records))

    return write


def messages(stream_name: str, records: Iterable[object]) -> bytes:
    """Give a RECORD for each, a line each."""
    message = RecordMessage(stream_name, {}, time_extracted=utc_now()).to_dict()
    return encoder.encode_lines({**message, "record": record} for record in records)


def _only(fields: Sequence[str], record: UsageRecord) -> dict[str, object]:
    return {field: getattr(record, field) for field in fields}
