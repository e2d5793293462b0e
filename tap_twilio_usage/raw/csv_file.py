"""CSV: read twice, so that only the columns that are needed are in memory."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tap_twilio_usage.money.amounts import ZERO
from tap_twilio_usage.money.dedup import Share
from tap_twilio_usage.raw.errors import RawError
from tap_twilio_usage.raw.names import ADDED


class CsvFile:
    """A CSV file with a header."""

    def __init__(self, path: Path) -> None:
        """Read the header. Raises RawError if there is none."""
        self.path = path
        with self._rows() as rows:
            self.names: Sequence[str] = next(rows, [])
        if not self.names:
            raise RawError("it is empty")

    def columns(self, wanted: Mapping[str, str]) -> dict[str, list[object]]:
        """Return the columns; an empty cell is None."""
        found: dict[str, list[object]] = {part: [] for part in wanted}
        places = [(self.names.index(name), found[part].append) for part, name in wanted.items()]
        known: dict[str, str | None] = {"": None}  # one text for all that are equal
        with self._rows() as rows:
            next(rows)
            for number, row in enumerate(rows, 1):
                if len(row) != len(self.names):
                    raise RawError(
                        f"row {number} has {len(row)} cells, the header {len(self.names)}"
                    )
                for place, append in places:
                    append(known.setdefault(row[place], row[place]))
        return found

    def write(self, path: Path, shares: Sequence[Share]) -> None:
        """Write the rows with their shares."""
        with self._rows() as rows, path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([*next(rows), *ADDED])
            for row, (role, price) in zip(rows, shares, strict=True):
                writer.writerow([*row, "" if price is None else f"{price or ZERO:f}", role])

    @contextmanager
    def _rows(self) -> Iterator[Iterator[list[str]]]:
        try:
            with self.path.open(encoding="utf-8-sig", newline="") as file:
                yield filter(None, csv.reader(file, strict=True))  # without empty lines
        except (UnicodeDecodeError, csv.Error) as error:
            raise RawError(f"it is not valid CSV in UTF-8: {error}") from None
