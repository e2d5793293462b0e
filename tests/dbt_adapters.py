"""Run dbt with adapters whose warehouses are not here: a script for an environment that has them.

`compile ADAPTER loaded|missing|several ...` compiles without any connection, as if the streams were
all loaded, none of the optional ones were, or all in several schemas. `snowflake LOAD.json RESULT
...` runs on fakesnow, an emulator of Snowflake on top of DuckDB. The other arguments are dbt's.
"""

from __future__ import annotations

import importlib
import json
import pickle
import sys
from pathlib import Path
from typing import Any


def dbt(arguments: list[str]) -> bool:
    from dbt.cli.main import dbtRunner  # noqa: PLC0415

    return bool(dbtRunner().invoke(arguments).success)


def compile_only(adapter: str, streams: str, arguments: list[str]) -> bool:
    """Compile; what the package asks of a warehouse is answered here."""
    plugin = importlib.import_module(f"dbt.adapters.{adapter}").Plugin

    def get_relation(self: Any, database: str, schema: str, identifier: str) -> Any:
        table = {"database": database, "schema": schema, "identifier": identifier, "type": "table"}
        return self.Relation.create(**table) if streams != "missing" else None

    def get_columns_in_relation(self: Any, relation: Any) -> list[Any]:
        """Return a column that only one schema has, and one that has another type in each."""
        columns = {"category": "timestamp"}
        if relation.schema == "twilio":
            columns = {"category": "date", "usage": "date"}
        return [self.Column(name, kind) for name, kind in columns.items()]

    plugin.adapter.get_relation = get_relation
    if streams == "several":
        plugin.adapter.get_columns_in_relation = get_columns_in_relation
    # None is opened, but BigQuery's would be opened to be closed.
    plugin.adapter.ConnectionManager.close = staticmethod(lambda connection: connection)
    return dbt(["compile", "--no-populate-cache", f"--target={adapter}", *arguments])


def emulate_snowflake(load: Path, result: Path, arguments: list[str]) -> bool:
    """Execute the statements of a file, then dbt, and keep the rows of the file's queries."""
    import fakesnow  # noqa: PLC0415
    import snowflake.connector  # noqa: PLC0415

    # fakesnow casts what is summed to DOUBLE. In Snowflake, a sum of NUMBER(38, 12) is exact.
    fakesnow.transforms.numeric_agg_implicit_cast = lambda expression: expression
    work = json.loads(load.read_text())
    with (
        fakesnow.patch(),
        snowflake.connector.connect(database="ANALYTICS", schema="TAP_TWILIO_USAGE") as connection,
    ):
        cursor = connection.cursor()
        for statement in work["statements"]:
            cursor.execute(statement)
        success = dbt([*arguments, "--target=snowflake"])
        rows = (
            {query: cursor.execute(query).fetchall() for query in work["queries"]}
            if success
            else {}
        )
        result.write_bytes(pickle.dumps(rows))
    return success


if __name__ == "__main__":
    what, first, second, *others = sys.argv[1:]
    if what == "compile":
        succeeded = compile_only(first, second, others)
    else:
        succeeded = emulate_snowflake(Path(first), Path(second), others)
    sys.exit(not succeeded)
