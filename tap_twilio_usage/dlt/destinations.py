"""Destinations by URL or name, and what is wrong with one, in one line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

from dlt.common.destination import Destination
from dlt.common.schema.typing import TColumnSchema
from dlt.destinations.job_client_impl import SqlJobClientBase
from dlt.pipeline.pipeline import Pipeline

from tap_twilio_usage.logs.redaction import Redactor
from tap_twilio_usage.singer.decimals import PRECISION, SCALE

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
    """Yield what no output may contain of a URL."""
    try:
        password = urlsplit(text).password
    except ValueError:
        password = text.partition("://")[2]
    if password:
        yield password
        yield unquote(password)


def reason(error: BaseException, redactor: Redactor) -> str:
    """Return the first line of the error that led to this one, without secrets."""
    while cause := error.__cause__:
        error = cause
    lines = [line.strip() for line in redactor.text(f"{error}").splitlines() if line.strip()]
    line = next(iter(lines), type(error).__name__)
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}..."


def only_adds(pipeline: Pipeline, table_format: str | None) -> bool:
    """Return whether the destination cannot update rows, as plain files cannot."""
    kind = pipeline.destination.destination_name if pipeline.destination else ""
    return kind == "filesystem" and not table_format


def other_types(pipeline: Pipeline) -> Iterator[str]:
    """Yield what is wrong with each column of an existing table that cannot hold every value."""
    schema = pipeline.default_schema
    with pipeline.destination_client() as client:
        if not isinstance(client, SqlJobClientBase):
            return  # files have no columns to compare
        for name, stored in client.get_storage_tables(schema.data_table_names()):
            for column, needed in schema.get_table_columns(name).items():
                found = stored.get(column)
                if found and not _holds(found, needed):
                    yield f"{name}.{column} is {_shown(found)} and not {_shown(needed)}"


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
