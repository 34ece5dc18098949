"""Staging: the expressions of a mapping over `raw` become rows of one canonical table, every value still text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from pipeline.errors import ConfigurationError, Problem
from pipeline.sources import codes
from pipeline.sources.model import SourceMapping, TableMapping
from pipeline.sources.sql import count, identifier, literal
from pipeline.sources.values import ambiguous_sql, text_sql, trimmed_sql, value_sql, version_sql
from pipeline.tables import Column, Table, load_tables
from pipeline.warehouse.connection import parsed

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class Staged:
    """Rows staged, and how many local times among them occurred twice that day (the later one was taken)."""

    rows: int
    ambiguous_times: int


def stage(con: DuckDBPyConnection, mapping: SourceMapping, table_name: str, *, staged: str) -> Staged:
    """Create the temporary table `staged` with _row (1..n in file order), _line, _version and every canonical column.

    All of them but _row and _line are VARCHAR: trimmed, blank is NULL, ids and texts in Unicode normal form C, persons
    as pseudonyms (by the connection's macro `pseudonym`), times as ISO 8601 in UTC to the microsecond. A value whose
    expression fails is NULL; a time that cannot be read is the text `not a time`, which the contract quarantines.
    Raises ConfigurationError naming the place in the YAML when an expression does not bind.
    """
    table = load_tables()[table_name]
    plan = _Plan(mapping, table, mapping.tables[table_name])
    try:
        con.execute(parsed(f"CREATE OR REPLACE TEMP TABLE {identifier(staged)} AS {plan.sql()}"))
        ambiguous = count(con, plan.ambiguous_sql()) if plan.has_local_times else 0
    except (duckdb.IOException, duckdb.OutOfMemoryException, duckdb.InternalException, duckdb.InterruptException):
        raise
    except duckdb.Error as error:
        raise _explained(con, plan, error) from None
    return Staged(count(con, f"SELECT count(*) FROM {identifier(staged)}"), ambiguous)


@dataclass(frozen=True)
class _Plan:
    """The SQL that stages one table of one mapping."""

    mapping: SourceMapping
    table: Table
    told: TableMapping

    @property
    def has_local_times(self) -> bool:
        """Times without offset are read in a zone that may change its clocks."""
        return self.mapping.time_zone != "UTC" and bool(self.times())

    def times(self) -> list[str]:
        """The mapped columns of type time."""
        return [
            column.name for column in self.table.columns if column.type == "time" and column.name in self.told.columns
        ]

    def sql(self) -> str:
        """Rows in file order; of several rows of one line the values decide, for unnesting keeps no order."""
        columns = ", ".join(f"{self._value(column)} AS {identifier(column.name)}" for column in self.table.columns)
        version = version_sql("_version") if self.told.version else "NULL::VARCHAR"
        values = f"SELECT _line, {version} AS _version, {columns} FROM ({self.raw_sql()})"
        told = ", ".join(identifier(name) for name in self.told.columns)
        order = "" if self.told.from_ == "raw" else f"ORDER BY _line, _version, {told}"
        return f"SELECT row_number() OVER ({order}) AS _row, * FROM ({values})"

    def _value(self, column: Column) -> str:
        if column.name not in self.told.columns:
            return "NULL::VARCHAR"
        return value_sql(column, identifier(column.name), zone=self.mapping.time_zone)

    def raw_sql(self) -> str:
        """Every mapped expression as trimmed text, with the line it comes from.

        One step a subquery: DuckDB plans `nullif(f(x), '')` with `f(x)` twice, and planning is what small files cost.
        """
        told = {"_version": self.told.version, **self.told.columns}
        texts = {name: text_sql(expression) for name, expression in told.items() if expression}
        trimmed = _select("_line", {name: trimmed_sql(identifier(name)) for name in texts})
        filled = _select("_line", {name: f"nullif({identifier(name)}, '')" for name in texts})
        return f"{filled} FROM ({trimmed} FROM ({_select('line AS _line', texts)} {self.source_sql()}))"

    def source_sql(self) -> str:
        """FROM and WHERE."""
        where = f"\nWHERE (\n{self.told.where}\n)" if self.told.where else ""
        return f"FROM {self.told.from_}{where}"

    def ambiguous_sql(self) -> str:
        """Count of local times that occurred twice."""
        counts = " + ".join(ambiguous_sql(identifier(name), zone=self.mapping.time_zone) for name in self.times())
        return f"SELECT coalesce(sum({counts}), 0) FROM ({self.raw_sql()})"

    def parts(self) -> Iterator[tuple[str, tuple[str, ...], str]]:
        """What can fail, in the order to look: its name, its key in the YAML and a query that binds it alone."""
        source, bare = self.source_sql(), f"FROM {self.told.from_}"
        yield "from", ("from",), f"SELECT line {bare}"
        if self.told.where:
            yield "where", ("where",), f"SELECT line {source}"
        if self.told.version:
            yield "version", ("version",), f"SELECT {text_sql(self.told.version)} {bare}"
        for name, text in self.told.columns.items():
            yield f"column {name}", ("columns", name), f"SELECT {text_sql(text)} {bare}"


def _select(line: str, values: dict[str, str]) -> str:
    """SELECT of the line and of each value by its name."""
    return ", ".join([f"SELECT {line}", *(f"{value} AS {identifier(name)}" for name, value in values.items())])


def _explained(con: DuckDBPyConnection, plan: _Plan, error: duckdb.Error) -> ConfigurationError:
    """The failure of a plan as a problem of its mapping, without any value of the file.

    What fails to bind is shown in DuckDB's words, which hold names only; what binds but fails on some record is not.
    """
    table, mapping = plan.table.name, plan.mapping
    for name, key, query in plan.parts():
        try:
            con.execute(f"DESCRIBE {query}")
        except duckdb.Error as reason:
            where = mapping.where("tables", table, *key)
            message = f"table {table}, {name}: {_first_line(reason)}"
            return _refusal(mapping, Problem(where, codes.BAD_EXPRESSION, message))
    kind = type(error).__name__.removesuffix("Exception")
    message = f"table {table}: from or where fails on some record ({kind}); use try_cast or try() there"
    return _refusal(mapping, Problem(mapping.where("tables", table), codes.FAILING_EXPRESSION, message))


def _refusal(mapping: SourceMapping, problem: Problem) -> ConfigurationError:
    return ConfigurationError(f"The mapping {literal(mapping.source)} does not fit the file.", [problem])


def _first_line(error: duckdb.Error) -> str:
    return str(error).strip().splitlines()[0]
