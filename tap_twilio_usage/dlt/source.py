"""The dlt source: one run of the tap, with a resource for each of its streams."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dlt
from dlt.common.schema import Schema
from dlt.extract import DltResource, DltSource

from tap_twilio_usage._compat import Unpack
from tap_twilio_usage.dlt.arrow import Table
from tap_twilio_usage.dlt.settings import Settings, resolve
from tap_twilio_usage.dlt.spool import Spool
from tap_twilio_usage.errors import TapError
from tap_twilio_usage.focus import columns as focus
from tap_twilio_usage.tap import TapTwilioUsage

NAME = "twilio_usage"
STATE = "singer_state"  # the key in dlt's state of the source


def twilio_usage(*, full_refresh: bool = False, **settings: Unpack[Settings]) -> DltSource:
    """Return a source with a resource for each stream, of which the tap's defaults are selected.

    Settings that are not given come from `[sources.twilio_usage]` in the configuration of dlt, and
    then from the environment variables of the tap. A failure of the tap ends the run of the
    pipeline, and nothing is loaded. `full_refresh` reads everything again. Raises TapError.
    """
    return Extraction(resolve(settings), full_refresh=full_refresh).source()


class Extraction:
    """Runs the tap once for all selected resources."""

    def __init__(
        self,
        config: Mapping[str, Any],
        *,
        full_refresh: bool = False,
        keeps_partial: bool = False,
        folder: Path | None = None,
    ) -> None:
        """Take the settings.

        With `keeps_partial`, `failure` is set where the tap fails, and what it emitted is loaded.
        """
        self._config = config
        self._full_refresh = full_refresh
        self._keeps_partial = keeps_partial
        self._folder = folder
        self._spool: Spool | None = None
        self._left: set[str] = set()  # resources that have not read the spool
        self.failure: TapError | None = None

    def source(self) -> DltSource:
        """Return the source. Raises TapError."""
        tap = TapTwilioUsage(config={**self._config})
        self._catalog = tap.catalog_dict

        def rows(stream: str) -> Iterator[Any]:
            yield from self._rows(stream)

        resources = [
            dlt.resource(rows, name=stream.name, selected=stream.selected_by_default)(stream.name)
            for stream in tap.twilio_streams
        ]
        # Names stay as they are, above all those of FOCUS.
        schema = Schema(NAME, normalizers={"names": "direct"})
        return DltSource(schema, NAME, resources)

    @property
    def rows(self) -> int:
        """The number of rows that the tap has emitted."""
        return self._spool.rows if self._spool else 0

    def _rows(self, stream: str) -> Iterator[Any]:
        """Yield the tables of one stream: its own, and those that stream maps or FOCUS add."""
        if stream not in self._left:
            self._run({*dlt.current.source().resources.selected})
        self._left.discard(stream)
        for table in self._tables[stream]:
            yield from self._marked(table)

    def _marked(self, table: Table) -> Iterator[Any]:
        """Yield the rows of a table, the first ones with the key that stream maps may have changed."""
        assert self._spool  # noqa: S101  (for the type checker)
        hints = dlt.mark.make_hints(
            table_name=table.stream,
            primary_key=table.key,
            write_disposition="merge" if table.key else "append",
            file_format="parquet",
        )
        for batch in self._spool.batches(table.stream):
            yield dlt.mark.with_hints(batch, hints, create_table_variant=True)

    def _run(self, streams: Collection[str]) -> None:
        """Run the tap for these streams, from the state of the last run that was loaded."""
        state = dlt.current.source_state()
        self._files = TemporaryDirectory(prefix="tap-twilio-usage-", dir=self._folder)
        self._spool = spool = Spool(Path(self._files.name))
        tap = TapTwilioUsage(
            config={**self._config},
            catalog=self._select(streams),
            state={} if self._full_refresh else state.get(STATE, {}),
            message_writer=spool,
        )
        try:
            tap.sync_all()
        except TapError as error:
            if not (self._keeps_partial and spool.state):
                raise
            self.failure = error
        spool.close()
        state[STATE] = spool.state or state.get(STATE, {})
        self._left = {*streams}
        self._tables = {stream: [*self._tables_of(tap, stream)] for stream in streams}

    def _tables_of(self, tap: TapTwilioUsage, stream: str) -> Iterator[Table]:
        assert self._spool  # noqa: S101  (for the type checker)
        sources = [stream]
        if stream == "usage_records_daily" and tap.settings.focus:
            sources.append(focus.STREAM)
        for source in sources:
            for stream_map in tap.mapper.stream_maps.get(source, ()):
                if table := self._spool.table(stream_map.stream_alias):
                    yield table

    def _select(self, streams: Collection[str]) -> dict[str, Any]:
        """Return the tap's catalog with these streams selected."""
        for entry in self._catalog["streams"]:
            for each in entry["metadata"]:
                if not each["breadcrumb"]:
                    each["metadata"]["selected"] = entry["tap_stream_id"] in streams
        return self._catalog
