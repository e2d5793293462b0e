"""Numbers as text of the format `x-singer.decimal`, for `use_singer_decimal`. Pure.

Some targets store a JSON number as floating point, but a string of this format as an exact decimal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from tap_twilio_usage.errors import TapError

PRECISION, SCALE = 38, 12
FORMAT = {"format": "x-singer.decimal", "precision": PRECISION, "scale": SCALE}


class Decimals:
    """The numbers of a stream. An integer of the schema is not one of them."""

    def __init__(self, stream_name: str, schema: Mapping[str, Any]) -> None:
        """Take the schema of the records, in which numbers are numbers."""
        properties = schema["properties"]
        self._stream_name = stream_name
        self._names = [name for name, described in properties.items() if _is_number(described)]
        as_text = {name: _as_text(properties[name]) for name in self._names}
        self.schema = {**schema, "properties": {**properties, **as_text}}

    def convert(self, record: dict[str, Any]) -> dict[str, Any]:
        """Return the record with its numbers as text. Raises TapError for too many digits."""
        texts = {
            name: self._text(name, record[name])
            for name in self._names
            if isinstance(record.get(name), Decimal | float | int)
        }
        return {**record, **texts}

    def _text(self, name: str, number: Decimal | float) -> str:
        # A float is a result of the user's stream maps, and not exact before either.
        text = f"{number:.{SCALE}f}" if isinstance(number, float) else f"{Decimal(number):f}"
        whole, _, decimals = text.partition(".")
        if len(whole.lstrip("-")) > PRECISION - SCALE or len(decimals.rstrip("0")) > SCALE:
            raise TapError(
                f"{self._stream_name}: {name} has more than 26 digits before or 12 after the "
                "point; set use_singer_decimal to false"
            )
        return text


class Retyped:
    """The properties of a stream that are text or an integer, for numbers that come in them.

    That happens if the user's catalog changes the type of a number, as Meltano's `schema` does.
    """

    def __init__(self, stream_name: str, schema: Mapping[str, Any]) -> None:
        """Take the schema of the records."""
        self._stream_name = stream_name
        self._texts = [*_of_type("string", schema)]
        self._integers = [*_of_type("integer", schema)]

    def convert(self, record: dict[str, Any]) -> dict[str, Any]:
        """Return the record with numbers as text. Raises TapError for a fraction in an integer."""
        for name in self._integers:
            number = record.get(name)
            if isinstance(number, Decimal | float) and number != int(number):
                raise TapError(
                    f"{self._stream_name}: the catalog says that {name} is an integer, but it is "
                    f"{number}; use number or string"
                )
        texts = {
            name: f"{Decimal(record[name]):f}"
            for name in self._texts
            if isinstance(record.get(name), Decimal | int) and not isinstance(record[name], bool)
        }
        return {**record, **texts} if texts else record


def _of_type(kind: str, schema: Mapping[str, Any]) -> Iterator[str]:
    for name, described in schema["properties"].items():
        types = described.get("type", [])
        if {*([types] if isinstance(types, str) else types)} - {"null"} == {kind}:
            yield name


def _is_number(described: Mapping[str, Any]) -> bool:
    return "number" in described.get("type", ())


def _as_text(described: Mapping[str, Any]) -> dict[str, Any]:
    kinds = ["string" if kind == "number" else kind for kind in described["type"]]
    return {**described, "type": kinds, **FORMAT}
