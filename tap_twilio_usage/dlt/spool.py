"""What one run of the tap emits, as a file of Arrow batches for each stream.

A file instead of a queue, because the tap and dlt both expect to be the one that calls the other.
Memory use does not grow with the number of rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from tap_twilio_usage._compat import override
from tap_twilio_usage.dlt.arrow import Table
from tap_twilio_usage.errors import TapError
from tap_twilio_usage.singer.writer import LineWriter

BATCH = 4_000_000  # bytes of JSON


class _Head(msgspec.Struct):
    type: str
    stream: str = ""


_head = msgspec.json.Decoder(_Head)


class Spool(LineWriter):
    """Receives the messages of the tap in place of stdout."""

    def __init__(self, folder: Path) -> None:
        """Take an empty folder."""
        super().__init__()
        self._folder = folder
        self._files: dict[str, _File] = {}
        self._state = b""

    @override
    def send(self, lines: bytes | bytearray) -> None:
        if not lines:  # a day without rows
            return
        # All messages of one call are of one type and stream.
        head = _head.decode(lines[: lines.index(b"\n")])
        if head.type == "RECORD":
            self._files[head.stream].append(lines)
        elif head.type == "SCHEMA":
            self._add(msgspec.json.decode(lines))
        elif head.type == "STATE":
            self._state = bytes(lines)
        else:
            raise TapError(f"{head.type} messages cannot be loaded by dlt; remove batch_config")

    def _add(self, message: dict[str, Any]) -> None:
        stream = message["stream"]
        if stream not in self._files:
            table = Table(stream, message["schema"], message["key_properties"])
            self._files[stream] = _File(self._folder / f"{len(self._files)}.arrow", table)

    @property
    def state(self) -> dict[str, Any] | None:
        """The value of the last STATE message; None if there was none."""
        value: dict[str, Any] = msgspec.json.decode(self._state or b"{}")
        return value.get("value")

    @property
    def rows(self) -> int:
        """The number of rows of all streams."""
        return sum(file.rows for file in self._files.values())

    def table(self, stream: str) -> Table | None:
        """Return the columns of a stream; None if it was not emitted."""
        return self._files[stream].table if stream in self._files else None

    def close(self) -> None:
        """Write what is left. Raises TapError."""
        for file in self._files.values():
            file.close()

    def batches(self, stream: str) -> Iterator[pa.Table]:
        """Yield the rows of a stream: at least one table, which may be empty."""
        yield from self._files[stream].batches()


class _File:
    """The rows of one stream."""

    def __init__(self, path: Path, table: Table) -> None:
        self.table = table
        self.rows = 0
        self._path = path
        self._lines = bytearray()
        self._writer = pa.ipc.new_file(path, table.schema)

    def append(self, lines: bytes | bytearray) -> None:
        self._lines += lines
        if len(self._lines) >= BATCH:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def batches(self) -> Iterator[pa.Table]:
        with pa.OSFile(f"{self._path}") as file, pa.ipc.open_file(file) as reader:
            yield self.table.schema.empty_table()
            for number in range(reader.num_record_batches):
                yield pa.Table.from_batches([reader.get_batch(number)])

    def _flush(self) -> None:
        if self._lines:
            table = self.table.parse(bytes(self._lines))
            self._lines.clear()
            self._writer.write_table(table)
            self.rows += len(table)
