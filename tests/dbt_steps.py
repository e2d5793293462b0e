"""Build the dbt package several times in one process: a script for an environment that has dbt.

It reads a JSON list of steps, each with SQL statements, the text of seeds by name, and the
arguments of dbt. It prints a JSON list: of each step, whether dbt succeeded, what it said, and the
rows of all models if the step wants them.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Execute = Callable[[str], list[tuple[Any, ...]]]
SCHEMA = "twilio_usage"


@contextmanager
def warehouse() -> Iterator[Execute]:
    """Yield a function that executes a statement in the warehouse of dbt's target."""
    if os.environ["DBT_TARGET"] == "duckdb":
        import duckdb  # noqa: PLC0415

        with duckdb.connect(os.environ["TARGET_DUCKDB_PATH"]) as duck:
            yield lambda statement: duck.execute(statement).fetchall()
        return
    import psycopg2  # noqa: PLC0415

    names = {"HOST": "host", "PORT": "port", "USER": "user", "DATABASE": "dbname"}
    given = {key: os.environ[f"TARGET_POSTGRES_{name}"] for name, key in names.items()}
    connection = psycopg2.connect(**given)
    with connection, connection.cursor() as cursor:

        def execute(statement: str) -> list[tuple[Any, ...]]:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

        yield execute
    connection.close()


def rows_of_models(execute: Execute) -> dict[str, list[str]]:
    """Return the rows of each model, without the numbers of series, which each build gives."""
    columns = execute(
        "SELECT table_name, column_name FROM information_schema.columns "
        f"WHERE table_schema = '{SCHEMA}' AND column_name <> 'series_id' ORDER BY 1, 2"
    )
    found = {}
    for table in sorted({table for table, _ in columns}):
        names = ", ".join(f'"{name}"' for each, name in columns if each == table)
        rows = execute(f"SELECT {names} FROM {SCHEMA}.{table}")
        found[table] = sorted(" ".join(map(text, row)) for row in rows)
    return found


def text(value: object) -> str:
    """Return a value; statistics may differ by what floating point loses in another order."""
    return f"{value:.6g}" if isinstance(value, float) else f"{value}"


def take(step: dict[str, Any]) -> tuple[bool, str, dict[str, list[str]]]:
    from dbt.cli.main import dbtRunner  # noqa: PLC0415

    with warehouse() as execute:
        for statement in step.get("statements", ()):
            execute(statement)
    for name, content in step.get("seeds", {}).items():
        Path("seeds", f"{name}.csv").write_text(content)
    with contextlib.redirect_stdout(io.StringIO()) as log:
        done = dbtRunner().invoke([*step["dbt"], "--profiles-dir", "."])
    with warehouse() as execute:
        rows = rows_of_models(execute) if step.get("rows") else {}
    return bool(done.success), f"{log.getvalue()}{done.exception or ''}", rows


if __name__ == "__main__":
    sys.stdout.write(json.dumps([take(step) for step in json.load(sys.stdin)]) + "\n")
