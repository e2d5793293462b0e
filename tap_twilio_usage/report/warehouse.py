"""A connection to any database that SQLAlchemy supports; whatever fails is one line."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, NoSuchModuleError
from sqlalchemy.pool import NullPool

from tap_twilio_usage.report.address import secrets
from tap_twilio_usage.report.errors import ReportError

# DuckDB runs within the report; what does not fit into its memory goes to a temporary folder.
LEAST_MEMORY = 32_000_000


@contextmanager
def connected(url: URL, *, writes: bool = False) -> Iterator[Connection]:
    """Return a connection to the warehouse, which only reads unless it `writes`.

    Raises `ReportError`, without the URL's secrets, for any failure, also in the body; and
    `ModuleNotFoundError` if a driver is not installed.
    """
    try:
        arguments = {} if writes else _connect_args(url)
        engine = create_engine(url, poolclass=NullPool, connect_args=arguments)
        with engine.connect() as connection:
            if url.get_backend_name() == "duckdb":
                for setting, value in _limits(url).items():
                    connection.execute(text(f"SET {setting} = '{value}'"))
            yield connection
    except (ReportError, ModuleNotFoundError):
        raise
    except Exception as error:  # noqa: BLE001  (a driver raises what it likes)
        raise ReportError(_line(error, url)) from None


def _connect_args(url: URL) -> dict[str, Any]:
    # Otherwise DuckDB creates a missing file, and locks an existing one.
    return {"read_only": True} if url.get_backend_name() == "duckdb" else {}


def _limits(url: URL) -> dict[str, int | str]:
    """Return settings of DuckDB that take little memory, and more of it for a large file."""
    file = Path(url.database or "")
    memory = max(LEAST_MEMORY, file.stat().st_size // 4 if file.is_file() else 0)
    folder = tempfile.gettempdir().replace("'", "''")
    return {"threads": 1, "memory_limit": f"{memory // 1000}kB", "temp_directory": folder}


def _line(error: Exception, url: URL) -> str:
    if isinstance(error, NoSuchModuleError):
        return f"no SQLAlchemy dialect {url.drivername} is installed; install its package"
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    said = " ".join(str(cause).split()) or type(cause).__name__
    for secret in secrets(url):
        said = said.replace(secret, "***")
    return f"{url.render_as_string(hide_password=True).partition('?')[0]}: {said}"
