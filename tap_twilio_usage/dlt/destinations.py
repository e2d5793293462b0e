"""Destinations by URL or name, and what is wrong with one, in one line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from dlt.common.configuration.exceptions import ConfigFieldMissingException, InvalidNativeValue
from dlt.common.destination import Destination
from dlt.common.destination.exceptions import UnknownDestinationModule
from dlt.common.exceptions import MissingDependencyException
from dlt.common.schema.typing import TColumnSchema, TTableSchemaColumns
from dlt.destinations.job_client_impl import SqlJobClientBase
from dlt.pipeline.pipeline import Pipeline

from tap_twilio_usage.singer.decimals import PRECISION, SCALE

Columns = dict[str, TColumnSchema]

NAMES = {"postgresql": "postgres", "md": "motherduck"}  # where they differ from the scheme
FILES = {"file", "s3", "gs", "gcs", "az", "abfss", "sftp"}  # schemes of `filesystem`
LONGEST = 300  # characters of another program's message


def find(text: str) -> Destination[Any, Any]:
    """Return the destination of a URL, or of a name that dlt's configuration describes."""
    scheme, is_url, _ = text.partition("://")
    if not is_url:
        found = Destination.from_reference(text)
    elif scheme in FILES:
        found = Destination.from_reference("filesystem", bucket_url=text)
    else:
        found = Destination.from_reference(NAMES.get(scheme, scheme), credentials=_complete(text))
    assert found  # noqa: S101  (for the type checker)
    return found


def _complete(url: str) -> str:
    """Return the URL, for PostgreSQL with an empty password if it has none.

    dlt would require one, but the empty one leaves it to PGPASSWORD and ~/.pgpass.
    """
    scheme, _, rest = url.partition("://")
    user, is_user, host = rest.rpartition("@")
    if scheme not in {"postgres", "postgresql"} or not is_user or ":" in user:
        return url
    return f"{scheme}://{user}:@{host}"


def secrets(text: str) -> Iterator[str]:
    """Yield what no output may contain of a URL: the password, and the values of the query."""
    try:
        url = urlsplit(text)
    except ValueError:
        yield text.partition("://")[2]
        return
    yield from (value for _, value in parse_qsl(url.query))
    yield from {url.password or "", unquote(url.password or "")}


def problem(error: BaseException) -> str:
    """Return what is wrong, and what to do, for an error of dlt or of a driver."""
    while cause := getattr(error, "inner_exc", None) or error.__cause__:
        error = cause
    if isinstance(error, UnknownDestinationModule):
        return (
            "--destination: dlt has no such destination; use a URL such as duckdb:///usage.duckdb, "
            "or a name such as snowflake"
        )
    if isinstance(error, InvalidNativeValue):
        return "--destination: is not a valid URL for this destination"
    if isinstance(error, MissingDependencyException):
        return f"--destination: a package is not installed; pip install '{error.dependencies[0]}'"
    if isinstance(error, ConfigFieldMissingException):
        return (
            f"--destination: {_quoted(error)}; use a URL, or set it in .dlt/secrets.toml or in the "
            "environment"
        )
    return f"the destination cannot be loaded: {_quoted(error)}; once it can, run the command again"


def _quoted(error: BaseException) -> str:
    """Return the first line of another program's message."""
    lines = [line.strip() for line in f"{error}".splitlines() if line.strip()]
    line = next(iter(lines), type(error).__name__)
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}..."


def only_adds(pipeline: Pipeline, table_format: str | None) -> bool:
    """Return whether the destination cannot update rows, as plain files cannot."""
    kind = pipeline.destination.destination_name if pipeline.destination else ""
    return kind == "filesystem" and not table_format


def missing(pipeline: Pipeline) -> Iterator[str]:
    """Yield each table and column that earlier runs created and that is there no longer."""
    for table, stored, needed in _tables(pipeline):
        if not stored:
            yield table
        else:
            yield from (f"{table}.{column}" for column in needed if column not in stored)


def other_types(pipeline: Pipeline) -> Iterator[str]:
    """Yield what is wrong with each column of an existing table that cannot hold every value."""
    for table, stored, needed in _tables(pipeline):
        for column in stored.keys() & needed.keys():
            if not _holds(stored[column], needed[column]):
                yield f"{table}.{column} is {_shown(stored[column])}, not {_shown(needed[column])}"


def create_missing(pipeline: Pipeline) -> None:
    """Create what `missing` returns. dlt does so only where its schema has changed."""
    with pipeline.destination_client() as client:
        if isinstance(client, SqlJobClientBase) and client.is_storage_initialized():
            client.update_stored_schema(force=True)


def _tables(pipeline: Pipeline) -> Iterator[tuple[str, Columns, Columns]]:
    """Yield the name of each table, with the columns that it has and those that it should have."""
    if not pipeline.schema_names:
        return  # nothing was ever loaded
    schema = pipeline.default_schema
    with pipeline.destination_client() as client:
        if isinstance(client, SqlJobClientBase):  # files have no columns to compare
            for table, stored in client.get_storage_tables(schema.data_table_names()):
                yield table, _folded(stored), _folded(schema.get_table_columns(table))


def _folded(columns: TTableSchemaColumns) -> Columns:
    """Return the columns by names in small letters, because some destinations change the case."""
    return {name.lower(): column for name, column in columns.items()}


def _holds(found: TColumnSchema, needed: TColumnSchema) -> bool:
    if found["data_type"] != needed["data_type"]:
        return False
    scale, precision = found.get("scale"), found.get("precision")
    if needed["data_type"] != "decimal" or scale is None or precision is None:
        return True
    return scale >= SCALE and precision - scale >= PRECISION - SCALE


def _shown(column: TColumnSchema) -> str:
    digits = [f"{column[name]}" for name in ("precision", "scale") if column.get(name) is not None]
    return f"{column['data_type']}" + (f"({','.join(digits)})" if digits else "")
