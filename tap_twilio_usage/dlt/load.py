"""Loads the tap's streams into a destination, for the command `tap-twilio-usage-load`.

The destination is the only memory: each run starts from the state that the last complete run left
there, and from an empty local folder. What a run that was killed had read is read again, and
overwrites by key what it may have loaded.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from logging import Logger
from pathlib import Path
from typing import Any, NamedTuple

import dlt
from dlt.common.exceptions import DltException, SignalReceivedException
from dlt.common.pipeline import get_dlt_pipelines_dir
from dlt.extract import DltSource
from dlt.pipeline.exceptions import PipelineStepFailed
from filelock import FileLock, Timeout

from tap_twilio_usage.dlt import destinations
from tap_twilio_usage.dlt.settings import resolve
from tap_twilio_usage.dlt.source import Extraction
from tap_twilio_usage.errors import TapError
from tap_twilio_usage.logs.redaction import Redactor, shown
from tap_twilio_usage.logs.wording import count, duration, some
from tap_twilio_usage.signals import Stopped

# Settings of dlt, where the environment has none.
DEFAULTS = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "CRITICAL",  # what fails is one line of the command
    "LOAD__RAISE_ON_MAX_RETRIES": "2",
}
# Where names without quotes are in capitals, as in Snowflake, queries should not need quotes.
CAPITALS = {"SCHEMA__NAMING": "sql_ci_v1"}
# Where rows are only ever added, a column tells the versions of a row apart.
ONLY_ADDED = {"NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_LOAD_ID": "true"}


class Target(NamedTuple):
    """Where to load. The pipeline is the name under which the destination keeps the state."""

    destination: str
    dataset: str
    pipeline: str
    table_format: str | None = None

    def folder(self, redactor: Redactor) -> str:
        """Return the name of a folder for the dataset."""
        name = f"{redactor.text(self.destination)} {self.dataset}"
        return f"tap-twilio-usage-{sha256(name.encode()).hexdigest()[:16]}"


class Choice(NamedTuple):
    """What to load: the settings that are given, and the streams, by default those of the tap."""

    settings: Mapping[str, Any]
    streams: Sequence[str] = ()
    full_refresh: bool = False


def load(target: Target, choice: Choice, logger: Logger) -> None:
    """Load what is new since the last run. Raises TapError.

    If the tap fails, what it has read is loaded before its error is raised.
    """
    if not re.fullmatch(r"[\w-]+", target.pipeline):
        raise TapError("--pipeline: may contain only letters, digits, _ and -")
    _set_defaults(DEFAULTS)
    redactor = Redactor(destinations.secrets(target.destination))
    folder = Path(get_dlt_pipelines_dir()) / target.folder(redactor)
    with (
        _alone(folder, target.dataset),
        _in_one_line(redactor),
        _emptied(folder / target.pipeline),
    ):
        pipeline = dlt.pipeline(
            target.pipeline,
            pipelines_dir=f"{folder}",
            destination=destinations.find(target.destination),
            dataset_name=target.dataset,
        )
        redactor.install()
        extraction = Extraction(
            resolve(choice.settings),
            full_refresh=choice.full_refresh,
            keeps_partial=True,
            folder=Path(pipeline.working_dir),
        )
        source = _select(extraction.source(), choice.streams)
        if pipeline.destination.capabilities().casefold_identifier is str.upper:
            _set_defaults(CAPITALS)
        if destinations.only_adds(pipeline, target.table_format):
            _set_defaults(ONLY_ADDED)
            logger.warning(
                "each run adds its rows to the files; to update rows, set --table-format"
            )
        pipeline.sync_destination()  # before the first request, because it may be away
        found = [*destinations.missing(pipeline)]
        if found and not choice.full_refresh:
            raise TapError(
                f"the dataset {pipeline.dataset_name} has lost what earlier runs have loaded: "
                f"{some(found)}; set --full-refresh to load everything again"
            )
        table_format: Any = target.table_format
        pipeline.extract(source, table_format=table_format)
        began = time.monotonic()
        where = f"{pipeline.destination.destination_name}, dataset {pipeline.dataset_name}"
        logger.info("loading %s into %s", count(extraction.rows, "row"), where)
        pipeline.normalize()
        if found := [*destinations.other_types(pipeline)]:
            raise TapError(
                f"the dataset {pipeline.dataset_name} has tables with other types: "
                f"{some(found)}; set another --dataset, or drop the tables and set --full-refresh"
            )
        destinations.create_missing(pipeline)
        pipeline.load()
        logger.info("loaded in %s", duration(time.monotonic() - began))
    if extraction.failure:
        raise extraction.failure


def _set_defaults(settings: Mapping[str, str]) -> None:
    for name, value in settings.items():
        os.environ.setdefault(name, value)


def _select(source: DltSource, streams: Sequence[str]) -> DltSource:
    if unknown := [stream for stream in streams if stream not in source.resources]:
        raise TapError(
            f"--select: {shown(unknown[0])} is not a stream; use one of "
            f"{', '.join(sorted(source.resources))}"
        )
    return source.with_resources(*streams) if streams else source


@contextmanager
def _alone(folder: Path, dataset: str) -> Iterator[None]:
    """Hold a lock that ends with the process. Raises TapError if another run has it."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise TapError(
            f"another run is loading the dataset {dataset}; run the command again after its end"
        ) from None
    with lock:
        yield


@contextmanager
def _emptied(folder: Path) -> Iterator[None]:
    """Delete the folder, which may have files of a run that was killed, before and after."""
    shutil.rmtree(folder, ignore_errors=True)
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _in_one_line(redactor: Redactor) -> Iterator[None]:
    """Raise TapError, without secrets, for what dlt or the destination's driver raises."""
    try:
        yield
    except (PipelineStepFailed, DltException, SignalReceivedException) as error:
        for each in _causes(error):
            if isinstance(each, TapError | Stopped):
                raise each from None
            if isinstance(each, SignalReceivedException):
                raise Stopped(each.signal_code) from None
        *_, root = _causes(error)
        if isinstance(error, PipelineStepFailed) and error.step in {"extract", "normalize"}:
            if isinstance(root, OSError):
                reason = root.strerror or f"{root}"
                raise TapError(f"{get_dlt_pipelines_dir()} cannot be written: {reason}") from None
            raise root from None  # a bug
        raise TapError(redactor.text(destinations.problem(error))) from None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
