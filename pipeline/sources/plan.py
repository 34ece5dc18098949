"""The SQL by which one table of one mapping is staged, and its pieces one by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.sources.model import SourceMapping, TableMapping
from pipeline.sources.sql import identifier
from pipeline.sources.values import ambiguous_sql, text_sql, trimmed_sql, value_sql, version_sql
from pipeline.tables import Column, Table

LEFT_OUT = "left_out_rows"
"""The sequence that a plan takes a number from for every row that it leaves out."""


@dataclass(frozen=True)
class Part:
    """One piece of a plan: its name, its key below the table in the YAML, and a query that binds it alone."""

    name: str
    key: tuple[str, ...]
    query: str


@dataclass(frozen=True)
class Plan:
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
        values = f"SELECT _line, {version} AS _version, {columns} FROM ({self._texts_sql(self._counting_sql())})"
        told = ", ".join(identifier(name) for name in self.told.columns)
        order = "" if self.told.from_ == "raw" else f"ORDER BY _line, _version, {told}"
        return f"SELECT row_number() OVER ({order}) AS _row, * FROM ({values})"

    def _value(self, column: Column) -> str:
        if column.name not in self.told.columns:
            return "NULL::VARCHAR"
        return value_sql(column, identifier(column.name), zone=self.mapping.time_zone)

    def raw_sql(self) -> str:
        """Every mapped expression as trimmed text, with the line it comes from."""
        return self._texts_sql(self.source_sql())

    def _texts_sql(self, source: str) -> str:
        """The same from a source.

        One step a subquery: DuckDB plans `nullif(f(x), '')` with `f(x)` twice, and planning is what small files cost.
        """
        told = {"_version": self.told.version, **self.told.columns}
        texts = {name: text_sql(expression) for name, expression in told.items() if expression}
        trimmed = _select("_line", {name: trimmed_sql(identifier(name)) for name in texts})
        filled = _select("_line", {name: f"nullif({identifier(name)}, '')" for name in texts})
        inner = f"{self.with_sql()}{_select('line AS _line', texts)} {source}"
        return f"{filled} FROM ({trimmed} FROM ({inner}))"

    def with_sql(self) -> str:
        """The relations of the mapping, for `from` to name; nothing when there are none."""
        named = [f"{identifier(name)} AS (\n{text}\n)" for name, text in self.mapping.relations.items()]
        return f"WITH {', '.join(named)} " if named else ""

    def source_sql(self) -> str:
        """FROM and WHERE."""
        where = f"\nWHERE (\n{self.told.where}\n)" if self.told.where else ""
        return f"FROM {self.told.from_}{where}"

    @property
    def counts_left_out(self) -> bool:
        """The rows that `where` chooses from are not those of `raw`, of which it is known how many there are."""
        return bool(self.told.where) and self.told.from_ != "raw"

    def _counting_sql(self) -> str:
        """FROM and WHERE; where rows must be counted to know how many are left out, a sequence does it on the way."""
        if not self.counts_left_out:
            return self.source_sql()
        wanted = f"CASE WHEN (\n{self.told.where}\n) THEN TRUE ELSE nextval('{LEFT_OUT}') < 0 END"
        return f"FROM {self.told.from_}\nWHERE {wanted}"

    def ambiguous_sql(self) -> str:
        """Count of local times that occurred twice."""
        counts = " + ".join(ambiguous_sql(identifier(name), zone=self.mapping.time_zone) for name in self.times())
        return f"SELECT coalesce(sum({counts}), 0) FROM ({self.raw_sql()})"

    def parts(self) -> Iterator[Part]:
        """What can fail, in the order to look; where `from` does not bind, nothing after it can."""
        source, bare = self.source_sql(), f"FROM {self.told.from_}"
        named = self.with_sql()
        yield Part("from", ("from",), f"{named}SELECT line {bare}")
        if self.told.where:
            yield Part("where", ("where",), f"{named}SELECT line {source}")
        if self.told.version:
            yield Part("version", ("version",), f"{named}SELECT {text_sql(self.told.version)} {bare}")
        for name, text in self.told.columns.items():
            yield Part(f"column {name}", ("columns", name), f"{named}SELECT {text_sql(text)} {bare}")


def _select(line: str, values: dict[str, str]) -> str:
    """SELECT of the line and of each value by its name."""
    return ", ".join([f"SELECT {line}", *(f"{value} AS {identifier(name)}" for name, value in values.items())])
