"""Rows of a large file typed while it is read, so that those that need no mending are loaded without being staged.

What `stage` and the contract say of a row holds here too: a row is taken the straight way only where every text of it
needs no mending and it breaks no rule. All others, the odd ones, are left out and counted, to go the long way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.sources.file_source import FileSource
from pipeline.sources.plan import Plan
from pipeline.sources.quick import in_range_sql, is_plain_sql, quick_value_sql
from pipeline.sources.sql import identifier
from pipeline.sources.values import text_sql, trimmed_sql, version_sql
from pipeline.tables import Column

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_PEOPLE, _FEW = 50_000, 4
"""Of so many rows people are listed when each stands in so many of them or more; else making the list takes longer."""
_ODD = "nextval('odd_rows') < 0"
_NAME = re.compile(r'"([^"]+)"|([A-Za-z_][A-Za-z0-9_]*)')
_INTEGERS = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"})
_DECIMAL = re.compile(r"DECIMAL\((\d+), ?(\d+)\)")


@dataclass(frozen=True)
class Straight:
    """What is read of a file and how: `read` holds each mapped column as its expression, `typed` those with a type."""

    plan: Plan
    source: FileSource
    read: dict[str, str]
    typed: frozenset[str]
    listed: frozenset[str]

    def rows_sql(self, bad: str, *, first: int | None = None, parts: int = 1) -> str:
        """SELECT of `_line`, `_version` and every canonical column of the rows to be loaded as they are.

        `bad` is the condition of a row that breaks a rule, over the columns and `_text_<column>`, the text where there
        is no value. Rows left out are counted by the sequence `odd_rows`. Only the `first` records are read when said;
        the file is read in so many `parts` side by side, where it has them.
        """
        some = f" LIMIT {first}" if first else ""
        raw = [f"{expression} AS {identifier(name)}" for name, expression in self.read.items()]
        told = self.plan.told
        raw += [f"{text_sql(told.version)} AS _said"] if told.version else []
        raw += [f"(\n{told.where}\n) AS _is_wanted"] if told.where else []
        inner = (
            f"SELECT line AS _line, _is_odd, {', '.join(raw)} FROM (SELECT * FROM {self.source.in_parts(parts)}{some})"
        )
        columns = self.plan.table.columns
        values = [f"{self._value(column)} AS {identifier(column.name)}" for column in columns]
        texts = [f"{self._rest(column)} AS {_text_name(column)}" for column in columns]
        version = version_sql(f"nullif({trimmed_sql('_said')}, '')") if told.version else "NULL::VARCHAR"
        kept = ["_line", "_is_odd", f"{version} AS _version", *(["_is_wanted"] if told.where else [])]
        outer = f"SELECT {', '.join([*kept, *values, *texts])} FROM ({inner})"
        listed = ", ".join(identifier(name) for name in self.plan.table.column_names)
        # Counting is an effect, so that DuckDB does not move the condition below the values and make them twice; and
        # a condition of CASE looks at no more rows and rules than it must, while a value of OR is made of all of them.
        return (
            f"SELECT {listed}, _line, _version FROM ({outer}) "
            f"WHERE CASE WHEN {bad} THEN {_ODD} WHEN {self._is_plain()} THEN TRUE ELSE {_ODD} END"
        )

    def _is_plain(self) -> str:
        wanted = ["coalesce(_is_wanted, FALSE)"] if self.plan.told.where else []
        return " AND ".join(["NOT _is_odd", *wanted, *self._plain()])

    def _plain(self) -> Iterator[str]:
        """Conditions that texts which may be anything need no mending."""
        for column in self.plan.table.columns:
            if column.name in self.read and column.sql_type == "VARCHAR" and not column.values:
                text = _text_name(column)
                is_plain = (
                    f"{text} >= '!' AND NOT ends_with({text}, ' ')" if self.source.is_plain else is_plain_sql(text)
                )
                yield f"({text} IS NULL OR ({is_plain}))"

    def _value(self, column: Column) -> str:
        """The value of a column in its type; NULL, or not to be looked at, where the text needs mending."""
        text = identifier(column.name)
        if column.name not in self.read:
            return f"NULL::{column.sql_type}"
        if column.name in self.typed:
            return f"{in_range_sql(text) if column.column_type.is_moment else text}::{column.sql_type}"
        if column.values:
            return text
        if column.type == "person":
            person = f"pseudonym(lower(nfc_normalize({text})))"
            told = people_name(column)
            found = f"getvariable('{told}')[enum_code(TRY_CAST({text} AS {told})) + 1]"
            return f"coalesce({found}, {person})" if column.name in self.listed else person
        if column.sql_type == "VARCHAR":
            return text if self.source.is_plain else f"nfc_normalize({text})"
        return quick_value_sql(column, text)

    def _rest(self, column: Column) -> str:
        """The text that the rules look at where there is no value."""
        if column.name not in self.read:
            return "NULL::VARCHAR"
        if column.name not in self.typed:
            return identifier(column.name)
        text = identifier(column.name)
        return (
            f"CASE WHEN {in_range_sql(text)} IS NULL THEN {text}::VARCHAR END"
            if column.column_type.is_moment
            else "NULL::VARCHAR"
        )


def straight(con: DuckDBPyConnection, plan: Plan, source: FileSource) -> Straight:
    """How the rows of a file are read: which expressions have the type of their column, which people are listed."""
    told = {name: _own(expression, source) for name, expression in plan.told.columns.items()}
    listed = ", ".join(f"{expression} AS {identifier(name)}" for name, expression in told.items())
    types = {row[0]: row[1] for row in con.execute(f"DESCRIBE SELECT {listed} FROM {source.sql}").fetchall()}
    columns = {column.name: column for column in plan.table.columns if column.name in told}
    typed = frozenset(name for name, column in columns.items() if _fits(types[name], column))
    read = {name: _tried(told[name]) if name in typed else text_sql(plan.told.columns[name]) for name in columns}
    people = [column for name, column in columns.items() if column.type == "person"]
    few = frozenset(column.name for column in people if _list_people(con, column, read[column.name], source))
    return Straight(plan, source, read, typed, few)


def people_name(column: Column) -> str:
    """What the type and the variable with the people of a column are called."""
    return f"straight_people_{column.name}"


def _text_name(column: Column) -> str:
    return identifier(f"_text_{column.name}")


def _tried(expression: str) -> str:
    return expression if _NAME.fullmatch(expression) else f"TRY(\n{expression}\n)"


def _own(expression: str, source: FileSource) -> str:
    """A bare column as the one that has a type of its own, where the file has one."""
    name = _NAME.fullmatch(expression.strip())
    told = source.own.get((name[1] or name[2]).lower()) if name else None
    return identifier(told) if told else expression.strip()


def _fits(kind: str, column: Column) -> bool:
    """Written as text and read again, every value of this type is the same value in the type of the column."""
    wanted = column.sql_type
    if column.column_type.is_text:
        return False
    if wanted == "BIGINT":
        return kind in _INTEGERS
    own, told = _DECIMAL.fullmatch(kind), _DECIMAL.fullmatch(wanted)
    if own and told:
        (width, scale), (most, digits) = map(int, own.groups()), map(int, told.groups())
        return scale <= digits and width - scale <= most - digits
    return kind.replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ") == wanted


def _list_people(con: DuckDBPyConnection, column: Column, text: str, source: FileSource) -> bool:
    """Make a type and a variable with the pseudonym of each person in the first rows; False when they are too many."""
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE first_people AS SELECT person, count(*) AS rows FROM "
        f"(SELECT {text} AS person FROM {source.sql} LIMIT {_PEOPLE}) WHERE person IS NOT NULL GROUP BY person"
    )
    ((found, rows),) = con.execute("SELECT count(*), coalesce(sum(rows), 0) FROM first_people").fetchall()
    if found * _FEW > rows or not rows:
        return False
    told = people_name(column)
    con.execute(f"DROP TYPE IF EXISTS {told}")
    con.execute(f"CREATE TEMP TYPE {told} AS ENUM (SELECT person FROM first_people ORDER BY person)")
    con.execute(
        f"""SET VARIABLE {told} = (SELECT list(pseudonym(lower(nfc_normalize(person))) ORDER BY place) FROM (
              SELECT unnest(enum_range(NULL::{told}))::VARCHAR AS person,
                generate_subscripts(enum_range(NULL::{told}), 1) AS place))"""
    )
    con.execute("DROP TABLE first_people")
    return True
