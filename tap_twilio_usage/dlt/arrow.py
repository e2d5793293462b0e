"""Arrow tables of RECORD messages, with the types of their JSON schema. Pure.

Arrow reads the JSON itself, so that an amount never becomes a float.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.json

from tap_twilio_usage.errors import TapError
from tap_twilio_usage.singer.decimals import FORMAT, PRECISION, SCALE

MONEY = pa.decimal128(PRECISION, SCALE)
DAY = pa.date32()
MOMENT = pa.timestamp("us", tz="UTC")
TYPES = {"boolean": pa.bool_(), "integer": pa.int64(), "number": MONEY, "string": pa.string()}
FORMATS = {"date": DAY, "date-time": MOMENT, FORMAT["format"]: MONEY}

_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_texts = msgspec.json.Decoder(dict[str, Any])


class Table:
    """The columns of a stream."""

    def __init__(self, stream: str, schema: Mapping[str, Any], key: Collection[str]) -> None:
        """Take the content of a SCHEMA message."""
        self.stream = stream
        self.key = list(key)
        properties = schema["properties"]
        self.schema = pa.schema(
            pa.field(name, _type(described) or pa.string(), nullable=name not in self.key)
            for name, described in properties.items()
        )
        self._json = {name for name, described in properties.items() if not _type(described)}
        # Arrow's parser expects a number for a date, and accepts a time without a time zone.
        fields = [pa.field(f.name, _type_in_json(f.type)) for f in self.schema]
        message = pa.schema([pa.field("record", pa.struct(fields))])
        self._options = pa.json.ParseOptions(
            explicit_schema=message, unexpected_field_behavior="ignore"
        )

    def parse(self, lines: bytes) -> pa.Table:
        """Return the records of RECORD messages. Raises TapError for one that does not fit."""
        if self._json:
            lines = b"".join(self._with_texts(line) for line in lines.splitlines())
        read = pa.json.ReadOptions(use_threads=False, block_size=len(lines) + 1)
        try:
            found = pa.json.read_json(pa.BufferReader(lines), read, self._options)
            records = found.column("record").combine_chunks()
            table = pa.table(dict(zip(self.schema.names, records.flatten(), strict=True)))
            table = table.cast(self.schema)
            table.validate(full=True)  # Arrow's parser does not check the precision
        except pa.ArrowInvalid as error:
            raise TapError(
                f"{self.stream}: a record does not fit the types of its columns; amounts may have "
                f"26 digits before and 12 after the point: {f'{error}'.splitlines()[0]}"
            ) from None
        return table

    def _with_texts(self, line: bytes) -> bytes:
        """Return the message with lists and objects as text that contains their JSON."""
        record = _decoder.decode(_decoder.decode(line)["record"])
        for name in self._json & record.keys():
            raw = bytes(record[name])
            if raw[:1] not in {b'"', b"n"}:  # neither text nor null
                record[name] = msgspec.Raw(msgspec.json.encode(raw.decode()))
        return msgspec.json.encode({"record": record}) + b"\n"


def _type(described: Mapping[str, Any]) -> pa.DataType | None:
    """Return the type of a property; None for one whose values are written as JSON."""
    kinds = described.get("type", ())
    kinds = {kinds} if isinstance(kinds, str) else {*kinds} - {"null"}
    if len(kinds) != 1:
        return None
    (kind,) = kinds
    if kind == "string" and described.get("format") in FORMATS:
        return FORMATS[described["format"]]
    return TYPES.get(kind)


def _type_in_json(kind: pa.DataType) -> pa.DataType:
    return pa.string() if kind in {DAY, MOMENT} else kind
