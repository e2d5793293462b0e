"""The property `counts_in_total`, added to records before the user's `stream_maps`.

With `use_singer_decimal`, numbers become text after the user's `stream_maps`, which see numbers.

It is code because a stream map of the SDK infers the type from the text of an expression and fails
on a null operand. It is added first, so that the user's filters and expressions can use it. It is
in the SCHEMA message and not in the catalog.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from decimal import Decimal
from difflib import get_close_matches
from fnmatch import fnmatch
from logging import Logger
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
from tap_twilio_usage.logs.redaction import shown
from tap_twilio_usage.singer.decimals import Decimals, Retyped

FLAG = "counts_in_total"


class Flag(NamedTuple):
    """The flag of a stream: a function of the record's properties, and the names of these."""

    of: Callable[..., bool | None]
    needs: tuple[str, ...]
    description: str


def _usage_record(price: Decimal | None, share: Decimal | None) -> bool | None:
    return None if share is None else bool(price) and share == price


FLAGS = {
    "usage_records_*": Flag(
        _usage_record,
        ("price", "deduplicated_price"),
        "Whether the whole price counts: price is not 0 and equals deduplicated_price",
    ),
    "categories": Flag(
        lambda role: bool(role == "leaf"),
        ("role",),
        "Whether the category is a leaf of the hierarchy",
    ),
}


class FlaggingMapper(PluginMapper):
    """The SDK's mapper, which first adds the flag to schemas and records."""

    def __init__(
        self, plugin_config: dict[str, Any], logger: Logger, *, use_singer_decimal: bool
    ) -> None:
        """Take the arguments of the SDK's mapper, and whether to write numbers as text."""
        super().__init__(plugin_config, logger)
        self._use_singer_decimal = use_singer_decimal

    @override
    def register_raw_stream_schema(
        self, stream_name: str, schema: dict[str, Any], key_properties: Sequence[str] | None
    ) -> None:
        flag = next((flag for like, flag in FLAGS.items() if fnmatch(stream_name, like)), None)
        if flag and not set(flag.needs) <= schema["properties"].keys():
            flag = None  # the user deselected a property that it is computed from
        if flag:
            described = {"type": ["boolean", "null"], "description": flag.description}
            schema = {**schema, "properties": {**schema["properties"], FLAG: described}}
        users = self.stream_maps_dict
        # The SDK passes an unselected stream without properties. A map would not find its key.
        self.stream_maps_dict = {
            name: _with_key(stream_map, schema, key_properties)
            for name, stream_map in users.items()
            if schema["properties"]
        }
        key = None if key_properties is None else tuple(key_properties)
        super().register_raw_stream_schema(stream_name, schema, key)
        self.stream_maps_dict = users
        self.stream_maps[stream_name] = [
            stream_map
            if isinstance(stream_map, RemoveRecordTransform)
            else Flagging(
                stream_map, stream_name, flag, use_singer_decimal=self._use_singer_decimal
            )
            for stream_map in self.stream_maps[stream_name]
        ]

    def refuse_unknown_streams(self, streams: Collection[str]) -> None:
        """Raise TapError for a map of a stream that does not exist. The SDK would ignore it.

        Likewise if two streams would be emitted under one name, which mixes their rows.
        """
        for key, value in self.stream_maps_dict.items():
            source = value.get("__source__", key) if isinstance(value, dict) else key
            if not any(fnmatch(stream, source) for stream in streams):
                name = repr(source) if get_close_matches(source, streams) else shown(source)
                raise TapError(
                    f"stream_maps: {name} is not a stream; use one of {', '.join(sorted(streams))}"
                )
        sources = {name: name for name in streams}
        for source, stream_maps in self.stream_maps.items():
            for alias in (each.stream_alias for each in stream_maps):
                if sources.setdefault(alias, source) != source:
                    raise TapError(
                        f"stream_maps: {source} cannot be renamed to {alias}, the name of another "
                        "stream; use another alias"
                    )


def _with_key(stream_map: Any, schema: dict[str, Any], key: Sequence[str] | None) -> Any:
    """Return the map with its key kept under `__else__: null`, where the SDK fails.

    The SDK's documentation says that it keeps the key.
    """
    if not isinstance(stream_map, dict) or MAPPER_ELSE_OPTION not in stream_map:
        return stream_map
    kept = stream_map.get(MAPPER_KEY_PROPERTIES_OPTION, key) or ()
    return {**{name: name for name in kept if name in schema["properties"]}, **stream_map}


class Flagging(StreamMap):
    """Adds the flag to records and passes them to another stream map.

    With `use_singer_decimal`, the numbers of the result become text.
    """

    def __init__(
        self,
        inner: StreamMap,
        stream_name: str,
        flag: Flag | None,
        *,
        use_singer_decimal: bool,
    ) -> None:
        """Take the stream map to pass records to; without a flag, none is added to them."""
        super().__init__(inner.stream_alias, inner.raw_schema, inner.raw_key_properties, None)
        self.transformed_schema, self.decimals = inner.transformed_schema, None
        self._retyped = Retyped(stream_name, inner.transformed_schema)
        if use_singer_decimal:
            self.decimals = Decimals(stream_name, inner.transformed_schema)
            self.transformed_schema = self.decimals.schema
        self.transformed_key_properties = inner.transformed_key_properties
        self._inner = inner
        self._stream_name = stream_name
        self.flag = flag

    @property
    def only_flags(self) -> bool:
        """Whether records are not changed in any other way, apart from numbers as text."""
        return isinstance(self._inner, SameRecordTransform) and not self._inner.flattening_enabled

    @override
    def transform(self, record: dict[str, Any]) -> dict[str, Any] | None:
        try:
            mapped = self._inner.transform(self._flagged(record))
        except (MapExpressionError, ArithmeticError, LookupError, TypeError, ValueError) as error:
            hint = " (is an operand null there?)" if isinstance(error, TypeError) else ""
            raise TapError(f"stream_maps: {self._stream_name}: {error}{hint}") from error
        if not mapped:
            return mapped
        mapped = self._retyped.convert(mapped)
        return self.decimals.convert(mapped) if self.decimals else mapped

    @override
    def get_filter_result(self, record: dict[str, Any]) -> bool:
        # Only for child streams, which the tap does not have. `transform` applies the filter.
        return True

    def _flagged(self, record: dict[str, Any]) -> dict[str, Any]:
        if self.flag is None:
            return record
        return {**record, FLAG: self.flag.of(*(record[name] for name in self.flag.needs))}
