"""Records written many at a time, past what the SDK does for each one.

For that takes the SDK ten times as long as all else takes the tap. It does its work where there
is work to do: a user's `stream_maps`, flattening, batches, --test. Both write the same lines.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from singer_sdk.contrib.msgspec import encoder
from singer_sdk.helpers._util import utc_now
from singer_sdk.singerlib import RecordMessage

from tap_twilio_usage.records import Record
from tap_twilio_usage.stream_maps import Flagging

if TYPE_CHECKING:
    from tap_twilio_usage.streams.base import TwilioStream


def writer(stream: TwilioStream) -> Callable[[list[Record]], None] | None:
    """Give what writes records of the stream; None where the SDK has to."""
    if stream.ABORT_AT_RECORD_COUNT is not None or stream.get_batch_config(stream.config):
        return None
    stream_map, *others = stream.stream_maps
    if others or not isinstance(stream_map, Flagging) or not stream_map.only_flags:
        return None
    deselected = [
        name for name in stream.schema["properties"] if not stream.mask["properties", name]
    ]

    def write(records: list[Record]) -> None:
        for record in records:
            for name in deselected:
                record.pop(name, None)
        message = RecordMessage(stream.name, {}, time_extracted=utc_now()).to_dict()
        lines = [{**message, "record": stream_map.flagged(record)} for record in records]
        stream.message_writer.write_lines(encoder.encode_lines(lines))

    return write
