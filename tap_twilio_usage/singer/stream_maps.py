"""The tap's own stream map: `counts_in_total`, in front of the user's own `stream_maps`.

A map of the SDK's knows a type only from the text of an expression and fails on a null operand,
so this one is code. It runs first, so that the flag is there for the user's filters, renamed and
added properties; it stands in the SCHEMA message and not in the catalog.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from fnmatch import fnmatch
from typing import Any, NamedTuple

from singer_sdk.exceptions import MapExpressionError
from singer_sdk.mapper import (
    MAPPER_ELSE_OPTION,
    MAPPER_KEY_PROPERTIES_OPTION,
    PluginMapper,
    RemoveRecordTransform,
    SameRecordTransform,
    StreamMap,
)

from tap_twilio_usage._compat import override
from tap_twilio_usage.errors import TapError

FLAG = "counts_in_total"


class Flag(NamedTuple):
    """How a stream's flag is worked out of a record, and of which of its properties."""

    of: Callable[..., bool | None]
    needs: tuple[str, ...]
    description: str


def _usage_record(price: Decimal | None, share: Decimal | None) -> bool | None:
    return None if share is None else bool(price) and share == price


FLAGS = {
    "usage_records_*": Flag(
        _usage_record,
        ("price", "deduplicated_price"),
        "Whether the row's whole price counts: it is not 0 and equals deduplicated_price",
    ),
    "categories": Flag(
        lambda role: bool(role == "leaf"),
        ("role",),
        "Whether the category is a leaf of the hierarchy",
    ),
}


class FlaggingMapper(PluginMapper):
    """The SDK's mapper with the flag put into schema and records before any other map."""

    @override
    def register_raw_stream_schema(
        self, stream_name: str, schema: dict[str, Any], key_properties: Sequence[str] | None
    ) -> None:
        flag = next((flag for like, flag in FLAGS.items() if fnmatch(stream_name, like)), None)
        if flag and not set(flag.needs) <= schema["properties"].keys():
            flag = None  # what it is worked out of was deselected
        if flag:
            described = {"type": ["boolean", "null"], "description": flag.description}
            schema = {**schema, "properties": {**schema["properties"], FLAG: described}}
        users = self.stream_maps_dict
        # A stream that is not selected comes without properties; a map would miss its key.
        self.stream_maps_dict = {
            name: _with_key(stream_map, schema, key_properties)
            for name, stream_map in users.items()
            if schema["properties"]
        }
        super().register_raw_stream_schema(stream_name, schema, key_properties)
        self.stream_maps_dict = users
        self.stream_maps[stream_name] = [
            stream_map
            if isinstance(stream_map, RemoveRecordTransform)
            else Flagging(stream_map, stream_name, flag)
            for stream_map in self.stream_maps[stream_name]
        ]

    def refuse_unknown_streams(self, streams: Iterable[str]) -> None:
        """Raise TapError for a map of a stream that does not exist: the SDK would pass over it."""
        for key, value in self.stream_maps_dict.items():
            source = value.get("__source__", key) if isinstance(value, dict) else key
            if not any(fnmatch(stream, source) for stream in streams):
                raise TapError(
                    f"stream_maps: {source!r} is no stream; there are {', '.join(sorted(streams))}"
                )


def _with_key(stream_map: Any, schema: dict[str, Any], key: Sequence[str] | None) -> Any:
    """Keep the key under `__else__: null`, as the SDK means to and says; it fails instead."""
    if not isinstance(stream_map, dict) or MAPPER_ELSE_OPTION not in stream_map:
        return stream_map
    kept = stream_map.get(MAPPER_KEY_PROPERTIES_OPTION, key) or ()
    return {**{name: name for name in kept if name in schema["properties"]}, **stream_map}


class Flagging(StreamMap):
    """Another stream map, given records that have the flag."""

    def __init__(self, inner: StreamMap, stream_name: str, flag: Flag | None) -> None:
        """Take what it is put in front of."""
        super().__init__(inner.stream_alias, inner.raw_schema, inner.raw_key_properties, None)
        self.transformed_schema = inner.transformed_schema
        self.transformed_key_properties = inner.transformed_key_properties
        self._inner = inner
        self._stream_name = stream_name
        self.flag = flag

    @property
    def only_flags(self) -> bool:
        """Whether nothing else is done with a record."""
        return isinstance(self._inner, SameRecordTransform) and not self._inner.flattening_enabled

    @override
    def transform(self, record: dict[str, Any]) -> dict[str, Any] | None:
        try:
            return self._inner.transform(self._flagged(record))
        except (MapExpressionError, ArithmeticError, LookupError, TypeError, ValueError) as error:
            hint = " (is an operand null there?)" if isinstance(error, TypeError) else ""
            raise TapError(f"stream_maps: {self._stream_name}: {error}{hint}") from error

    @override
    def get_filter_result(self, record: dict[str, Any]) -> bool:
        # Only of use to child streams, and the tap has none: the filter itself is in transform.
        return True

    def _flagged(self, record: dict[str, Any]) -> dict[str, Any]:
        if self.flag is None:
            return record
        return {**record, FLAG: self.flag.of(*(record[name] for name in self.flag.needs))}
