"""The tables of the warehouse, whatever types a target gave their columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Date,
    Dialect,
    Numeric,
    Select,
    String,
    TableClause,
    cast,
    column,
    func,
    inspect,
    literal,
    null,
    select,
    table,
)

from tap_twilio_usage._compat import override
from tap_twilio_usage.report.command import SCHEMA
from tap_twilio_usage.report.errors import ReportError

RECORDS = "usage_records_daily"
BILLING_GROUPS = "billing_group_records"
Column = ColumnElement[Any]


class Exact(Numeric[Any]):
    """A decimal as the driver returns it: SQLAlchemy's own conversion may go through a float."""

    cache_ok = True

    @override
    def result_processor(self, dialect: Dialect, coltype: object) -> None:
        return None


EXACT = Exact(38, 12)


@dataclass(frozen=True)
class Table:
    """A table and the types of its columns. A column that it does not have is null."""

    source: TableClause
    types: dict[str, str]

    def text(self, name: str) -> Column:
        """Return a column of text."""
        return self._column(name) if name in self.types else cast(null(), String)

    def day(self, name: str) -> Column:
        """Return a column of days; target-duckdb stores them as text."""
        return cast(self._column(name) if name in self.types else null(), Date)

    def exact(self, name: str) -> Column:
        """Return a column of amounts.

        The text of a floating-point number is the decimal that was written.
        """
        if name not in self.types:
            return cast(null(), EXACT)
        found = self._column(name)
        is_exact = any(each in self.types[name].lower() for each in ("numeric", "decimal", "int"))
        return found if is_exact else cast(cast(found, String), EXACT)

    def unit(self, name: str = "price_unit") -> Column:
        """Return a column of currencies, such as USD."""
        return func.coalesce(
            func.nullif(func.upper(func.trim(self.text(name))), ""), literal("no currency")
        )

    def select(self, *columns: Column) -> Select[Any]:
        """Return a query of columns."""
        return select(*columns).select_from(self.source)

    def _column(self, name: str) -> Column:
        return self.source.c[name]


class Tables:
    """Finds tables: the loaded ones in one schema, those of the dbt models in another."""

    def __init__(self, connection: Connection, schema: str | None, models: str) -> None:
        """Choose the schema of the loaded tables; raise `ReportError` if it has none of them."""
        self._connection = connection
        self._inspector = inspect(connection)
        self._models = models
        for name in [schema] if schema else [SCHEMA, None]:
            if any(self._has(each, name) for each in (RECORDS, BILLING_GROUPS)):
                self._schema = name
                return
        where = f"schema {schema}" if schema else f"schema {SCHEMA} or in the default schema"
        raise ReportError(f"no table {RECORDS} in {where}; load it first, or use --schema")

    def loaded(self, name: str) -> Table | None:
        """Return a loaded table, or None."""
        return self._table(name, self._schema)

    def model(self, name: str) -> Table | None:
        """Return a table of the dbt models, or None."""
        return self._table(name, self._models)

    def _has(self, name: str, schema: str | None) -> bool:
        return self._inspector.has_table(name, schema=schema)

    def _table(self, name: str, schema: str | None) -> Table | None:
        if not self._has(name, schema):
            return None
        types = self._types(name, schema)
        return Table(table(name, *map(column, types), schema=schema), types)

    def _types(self, name: str, schema: str | None) -> dict[str, str]:
        """Return the columns of a table with their types.

        SQLAlchemy's reflection of PostgreSQL asks for tables that DuckDB does not have.
        """
        if self._connection.dialect.name not in {"postgresql", "duckdb"}:
            columns = self._inspector.get_columns(name, schema)
            return {each["name"]: f"{each['type']}" for each in columns}
        names = ("table_schema", "table_name", "column_name", "data_type", "ordinal_position")
        found = table("columns", *map(column, names), schema="information_schema").c
        query = (
            select(found.column_name, found.data_type)
            .where(
                found.table_name == name,
                found.table_schema == (schema or self._inspector.default_schema_name),
            )
            .order_by(found.ordinal_position)
        )
        return {f"{each[0]}": f"{each[1]}" for each in self._connection.execute(query)}
