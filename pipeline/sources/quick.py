"""Rows of a large file for the contract in one pass: typed at once where a value is written plainly, else as text.

What `stage` says of a value holds here too; a value is read the quick way only where that gives what the long way does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.sources.plan import Plan
from pipeline.sources.sql import identifier, literal
from pipeline.sources.values import text_sql, trimmed_sql, value_sql, version_sql
from pipeline.tables import Column

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from duckdb import DuckDBPyConnection

_FEW = 4
"""People are looked up when each of them stands in so many rows or more; else making the list takes longer."""
_DIGITS = ("", *(f".{'_' * digits}" for digits in (3, 6, 2, 1, 5, 4)))
"""Of the seconds, by how often they are met."""
_ENDS = {"Z": ("T", " "), "+00": (" ",)}
"""How a time in UTC ends, as gateways write it and as DuckDB does, and what stands before its clock."""


@dataclass(frozen=True)
class QuickRows:
    """A relation of staged rows that has, beside each text, the value where it could be read at once."""

    relation: str
    """SQL of (_row, _line, _version, every canonical column as text, `_quick_<column>` for each of `columns`)."""
    columns: frozenset[str]
    """Columns with quick values: of them the text is NULL wherever the quick value is not."""


def is_quick(plan: Plan) -> bool:
    """The rows are the records of the file, so that a line makes one row at most."""
    return plan.told.from_ == "raw"


def quick_rows(con: DuckDBPyConnection, plan: Plan) -> QuickRows:
    """The rows of a plan that `is_quick`; `_row` is their line."""
    people = {column.name for column in _mapped(plan) if column.type == "person" and _list_people(con, plan, column)}
    quick = {column.name: _quick_sql(column, column.name in people) for column in _mapped(plan)}
    return QuickRows(_relation(plan, quick), frozenset(quick))


def _mapped(plan: Plan) -> list[Column]:
    return [column for column in plan.table.columns if column.name in plan.told.columns]


def _relation(plan: Plan, quick: Mapping[str, str]) -> str:
    """Texts as the file has them; then the quick values; then, of the values that have none, the trimmed texts."""
    told = {"_version": plan.told.version, **plan.told.columns}
    raw = [f"{text_sql(text)} AS {identifier(name)}" for name, text in told.items() if text]
    rows = f"{plan.with_sql()}SELECT line AS _line, {', '.join(raw)} {plan.source_sql()}"
    version = version_sql(f"nullif({trimmed_sql('_version')}, '')") if plan.told.version else "NULL::VARCHAR"
    values = [f"{value} AS {_quick(name)}" for name, value in quick.items()]
    first = f"SELECT *, {version} AS _said, {', '.join(values)} FROM ({rows})"
    left = [
        f"CASE WHEN {_quick(name)} IS NULL THEN nullif({trimmed_sql(identifier(name))}, '') END AS {identifier(name)}"
        for name in quick
    ]
    second = f"SELECT * REPLACE ({', '.join(left)}) FROM ({first})"
    listed = [f"{_text(plan, column)} AS {identifier(column.name)}" for column in plan.table.columns]
    kept = [_quick(name) for name in quick]
    return f"SELECT _line AS _row, _line, _said AS _version, {', '.join([*listed, *kept])} FROM ({second})"


def _quick(name: str) -> str:
    return identifier(f"_quick_{name}")


def _text(plan: Plan, column: Column) -> str:
    """The staged text of a value that is still to be read."""
    if column.name not in plan.told.columns:
        return "NULL::VARCHAR"
    text = identifier(column.name)
    return f"CASE WHEN {text} IS NOT NULL THEN {value_sql(column, text, zone=plan.mapping.time_zone)} END"


def _quick_sql(column: Column, is_listed: bool) -> str:
    """The value of a text that needs no mending, NULL for any other."""
    text = identifier(column.name)
    if column.values:
        return f"CASE WHEN {text} IN ({', '.join(map(literal, column.values))}) THEN {text} END"
    if column.type == "person":
        found = f"getvariable('{_people(column)}')[enum_code({text}::{_people(column)}) + 1]"
        return (
            found if is_listed else f"CASE WHEN {is_plain_sql(text)} THEN pseudonym(lower(nfc_normalize({text}))) END"
        )
    if column.type == "text":  # one with a mail address needs mending
        return f"CASE WHEN {is_plain_sql(text)} AND NOT contains({text}, '@') THEN nfc_normalize({text}) END"
    if column.sql_type == "VARCHAR":
        return f"CASE WHEN {is_plain_sql(text)} THEN nfc_normalize({text}) END"
    return quick_value_sql(column, text)


def quick_value_sql(column: Column, text: str) -> str:
    """The value of a text in a column of times, days, numbers or flags, NULL when it is not written plainly."""
    kind = column.sql_type
    if kind == "TIMESTAMPTZ":
        cast = in_range_sql(f"TRY_CAST({text} AS TIMESTAMPTZ)")
        return f"CASE WHEN {text} >= '0' AND ({' OR '.join(_forms(text))}) THEN {cast} END"
    if kind == "DATE":
        return (
            f"CASE WHEN {text} >= '0' AND {text} LIKE '____-__-__' THEN {in_range_sql(f'TRY_CAST({text} AS DATE)')} END"
        )
    value = f"TRY_CAST({text} AS {kind})"
    return f"CASE WHEN {value}::VARCHAR = {text} THEN {value} END" if kind == "BIGINT" else value


def _forms(text: str) -> Iterator[str]:
    """Conditions of which a text meets one when it is written in a form in which only digits can make it a time."""
    for end, marks in _ENDS.items():
        written = [f"____-__-__{mark}__:__:__{digits}{end}" for mark in marks for digits in _DIGITS]
        forms = [f"strlen({text}) = {len(form)} AND {text} LIKE '{form}'" for form in written]
        yield f"ends_with({text}, '{end}') AND ({' OR '.join(forms)})"


def is_plain_sql(text: str) -> str:
    """The text begins and ends with a printing character of ASCII, so there is no blank around it."""
    return f"{text} >= '!' AND {text} < chr(127) AND {text}[-1] BETWEEN '!' AND '~'"


def in_range_sql(value: str) -> str:
    """A moment or day of the years that the contract takes."""
    return f"CASE WHEN {value} BETWEEN '0001-01-01' AND '9999-12-31' THEN {value} END"


def _list_people(con: DuckDBPyConnection, plan: Plan, column: Column) -> bool:
    """Make the type and the variable that give the pseudonym of each person of a file; False when it is not worth it.

    The key makes a pseudonym of each person once, not in each row. Both live no longer than the connection.
    """
    person = f"SELECT {text_sql(plan.told.columns[column.name])} AS person {plan.source_sql()}"
    named = f"{plan.with_sql()}SELECT person FROM ({person}) WHERE person IS NOT NULL"
    ((people, rows),) = con.execute(f"SELECT approx_count_distinct(person), count(*) FROM ({named})").fetchall()
    if people * _FEW > rows or not rows:
        return False
    listed, pseudonym = _people(column), f"pseudonym(lower(nfc_normalize(nullif({trimmed_sql('person')}, ''))))"
    con.execute(f"DROP TYPE IF EXISTS {listed}")
    con.execute(f"CREATE TEMP TYPE {listed} AS ENUM (SELECT DISTINCT person FROM ({named}))")
    con.execute(
        f"""SET VARIABLE {listed} = (SELECT list({pseudonym} ORDER BY place) FROM (
              SELECT unnest(enum_range(NULL::{listed}))::VARCHAR AS person,
                generate_subscripts(enum_range(NULL::{listed}), 1) AS place))"""
    )
    return True


def _people(column: Column) -> str:
    """What the type and the variable of a column are called."""
    return f"raw_people_{column.name}"
