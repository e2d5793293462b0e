"""The dlt source: one run of the tap, with a resource for each of its streams."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dlt
from dlt.common.schema import Schema
from dlt.extract import DltSource

from tap_twilio_usage._compat import Unpack
from tap_twilio_usage.config import access
from tap_twilio_usage.dlt.arrow import Table
from tap_twilio_usage.dlt.settings import Settings, resolve
from tap_twilio_usage.dlt.spool import Spool
from tap_twilio_usage.errors import TapError
from tap_twilio_usage.focus import columns as focus
from tap_twilio_usage.tap import TapTwilioUsage

NAME = "twilio_usage"
STATE = "singer_state"  # the key in dlt's state of the source


def twilio_usage(*, full_refresh: bool = False, **settings: Unpack[Settings]) -> DltSource:
    """Return a source with a resource for each stream; the tap's default streams are selected.

    A setting that is not given comes from `[sources.twilio_usage]` in dlt's configuration, or from
    the environment variables of the tap. `full_refresh` reads from `start_date` again. If the tap
    fails, so does the run of the pipeline, and nothing is loaded. Raises TapError.
    """
    return Extraction(resolve(settings), full_refresh=full_refresh).source()


class Extraction:
    """A run of the tap for all selected resources."""

    def __init__(
        self,
        config: Mapping[str, Any],
        *,
        full_refresh: bool = False,
        keeps_partial: bool = False,
        folder: Path | None = None,
    ) -> None:
        """Take the settings, and the folder for temporary files.

        With `keeps_partial`, what the tap emitted is loaded if it fails; `failure` is its error.
        """
        self.failure: TapError | None = None
        self._config = config
        self._full_refresh = full_refresh
        self._keeps_partial = keeps_partial
        self._folder = folder
        self._spool = Spool(Path())  # empty until the tap runs
        self._unread: set[str] = set()  # resources that have not yet taken their rows of the run
        self._unfinished: set[str] = set()  # those that have not taken all of them

    def source(self) -> DltSource:
        """Return the source. Raises TapError."""
        tap = TapTwilioUsage(config={**self._config})
        self._catalog = tap.catalog_dict

        def rows(stream: str) -> Iterator[Any]:
            yield from self._tables(stream)

        resources = [
            dlt.resource(
                rows,
                name=stream.name,
                selected=stream.selected_by_default,
                primary_key=stream.primary_keys,
                write_disposition="merge",
            )(stream.name)
            for stream in tap.twilio_streams
        ]
        # Names of columns keep their case, which FOCUS requires.
        return DltSource(Schema(NAME, normalizers={"names": "sql_cs_v1"}), NAME, resources)

    @property
    def rows(self) -> int:
        """The number of rows that the tap has emitted."""
        return self._spool.rows

    def _tables(self, stream: str) -> Iterator[Any]:
        """Yield the rows of one stream, which FOCUS and the user's stream maps may divide."""
        if stream not in self._unread:
            self._run({*dlt.current.source().resources.selected})
        self._unread.discard(stream)
        for table in self._emitted(stream):
            for batch in self._spool.batches(table.stream):
                yield dlt.mark.with_hints(batch, _hints(table), create_table_variant=True)
        self._unfinished.discard(stream)
        if not self._unfinished:
            self._temporary.cleanup()

    def _run(self, streams: Collection[str]) -> None:
        """Run the tap for these streams, from the state of the last run that was loaded."""
        state = dlt.current.source_state()
        self._temporary = TemporaryDirectory(prefix="tap-twilio-usage-", dir=self._folder)
        self._spool = Spool(Path(self._temporary.name))
        self._tap = TapTwilioUsage(
            config={**self._config},
            catalog=self._select(streams),
            state={} if self._full_refresh else state.get(STATE, {}),
            message_writer=self._spool,
        )
        try:
            self._tap.sync_all()
        except TapError as error:
            if not (self._keeps_partial and self._spool.state):
                raise
            self.failure = error
        self._spool.close()
        state[STATE] = self._spool.state or state.get(STATE, {})
        self._unread, self._unfinished = {*streams}, {*streams}

    def _select(self, streams: Collection[str]) -> dict[str, Any]:
        """Return the tap's catalog with these streams selected."""
        for entry in self._catalog["streams"]:
            for each in entry["metadata"]:
                if not each["breadcrumb"]:
                    each["metadata"]["selected"] = entry["tap_stream_id"] in streams
        return self._catalog

    def _emitted(self, stream: str) -> Iterator[Table]:
        """Yield the tables that the tap made of one of its streams."""
        sources = [stream]
        if stream == access.FOCUS_SOURCE and self._tap.settings.focus:
            sources.append(focus.STREAM)
        for source in sources:
            for stream_map in self._tap.mapper.stream_maps[source]:
                if table := self._spool.table(stream_map.stream_alias):
                    yield table


def _hints(table: Table) -> Any:
    """Return the hints of a table that the current resource emits."""
    resource = dlt.current.resource()
    return dlt.mark.make_hints(
        table_name=table.stream,
        primary_key=table.key,
        write_disposition=resource.write_disposition if table.key else "append",
        table_format=resource.table_format,
        file_format="parquet",  # dlt's CSV for PostgreSQL would make null of empty text
    )
