"""Parquet, by pyarrow: the extra `parquet`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from tap_twilio_usage.money.dedup import Share
from tap_twilio_usage.raw.errors import RawError
from tap_twilio_usage.raw.names import ADDED

PRICE = pa.decimal128(38, 12)


class ParquetFile:
    """A Parquet file."""

    def __init__(self, path: Path) -> None:
        """Read it."""
        try:
            with path.open("rb") as file:
                self._table = pa.parquet.read_table(file)
        except pa.ArrowException as error:
            raise RawError(f"it is not a Parquet file: {' '.join(f'{error}'.split())}") from None
        self.names: Sequence[str] = self._table.column_names

    def columns(self, wanted: Mapping[str, str]) -> dict[str, list[object]]:
        """Return the columns."""
        kind = self._table.schema.field(wanted["price"]).type
        if pa.types.is_float32(kind) or pa.types.is_float16(kind):
            raise RawError("its price is a number of single precision, which does not hold cents")
        return {part: _values(self._table[name]) for part, name in wanted.items()}

    def write(self, path: Path, shares: Sequence[Share]) -> None:
        """Write the rows with their shares."""
        known: dict[Decimal | None, int] = {}
        places = [known.setdefault(price, len(known)) for _, price in shares]
        prices = pa.array([*known], PRICE).take(pa.array(places, pa.int32()))
        roles = pa.array([role for role, _ in shares], pa.string())
        table = self._table
        for name, column in zip(ADDED, (prices, roles), strict=True):
            table = table.append_column(name, column)
        pa.parquet.write_table(table, path)


def _values(column: pa.ChunkedArray) -> list[object]:
    """Return the values; each different one is made once."""
    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    values = encoded.dictionary.to_pylist()
    return [None if place is None else values[place] for place in encoded.indices.to_pylist()]
