"""The small frames that are judged: each check's SQL over the warehouse, aggregates only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb

from pipeline.checks.declared import Check, Declarations, Query
from pipeline.errors import ConfigurationError
from pipeline.tables import Table, load_tables

Row = dict[str, Any]


@dataclass(frozen=True)
class Summary:
    """The rows one check judges, ordered by subject and item; `absent` names what its SQL needs and is not there."""

    name: str
    check: Check
    rows: tuple[Row, ...]
    absent: tuple[str, ...] = ()


def summarise(con: duckdb.DuckDBPyConnection, declared: Declarations, *, as_of: date, run_id: str) -> list[Summary]:
    """Run the SQL of every check, in declaration order.

    The connection's own transaction is used, so rows not yet committed are judged as well; what is created on the way
    is temporary and dropped. Raises ConfigurationError when the SQL of a check cannot run.
    """
    parameters = {"as_of": as_of, "run_id": run_id}
    with _shared(con, declared, parameters) as present:
        return [
            _summary(con, name, check, absent=_absent(check, declared, present), present=present, parameters=parameters)
            for name, check in declared.checks.items()
        ]


@contextmanager
def _shared(
    con: duckdb.DuckDBPyConnection, declared: Declarations, parameters: Mapping[str, object]
) -> Iterator[set[str]]:
    """Keep the shared relations as temporary tables; yields the names of all that can be read."""
    present = _readable(con)
    created: list[str] = []
    try:
        for name, relation in declared.relations.items():
            sql = _expanded(relation, present)
            if sql and not _absent(relation, declared, present):
                _run(con, f"relation {name}", f'CREATE OR REPLACE TEMP TABLE "{name}" AS {sql}', parameters)
                created.append(name)
                present.add(name)
        yield present
    finally:
        for name in created:
            con.execute(f'DROP TABLE IF EXISTS temp.main."{name}"')


def _readable(con: duckdb.DuckDBPyConnection) -> set[str]:
    """`schema.name` of every table and view of the warehouse."""
    found = con.execute(
        "SELECT table_schema || '.' || table_name FROM information_schema.tables "
        "WHERE table_catalog = current_database()"
    ).fetchall()
    return {row[0] for row in found}


def _absent(query: Query, declared: Declarations, present: set[str]) -> tuple[str, ...]:
    """What the query needs and cannot read; for a shared relation, what that one needs."""
    found: list[str] = []
    for need in query.needs:
        if need not in present:
            below = _absent(declared.relations[need], declared, present) if need in declared.relations else ()
            found += below or (need,)
    return tuple(dict.fromkeys(found))


def _summary(
    con: duckdb.DuckDBPyConnection,
    name: str,
    check: Check,
    *,
    absent: tuple[str, ...],
    present: set[str],
    parameters: Mapping[str, object],
) -> Summary:
    sql = _expanded(check, present)
    if absent or not sql:
        return Summary(name, check, (), absent)
    columns, values = _run(con, f"check {name}", sql, parameters)
    rows = [dict(zip(columns, row, strict=True)) for row in values]
    _verify_columns(name, check, columns)
    return Summary(name, check, tuple(sorted(rows, key=lambda row: (str(row["subject"]), str(row.get("item", ""))))))


def _verify_columns(name: str, check: Check, columns: list[str]) -> None:
    missing = [column for column in ("subject", "n", *check.expectation.columns) if column not in columns]
    if missing:
        raise ConfigurationError(
            f"check {name}: its SQL gives no column {', '.join(missing)}; found {', '.join(columns)}. "
            "Name the columns so in its SELECT."
        )


def _expanded(query: Query, present: set[str]) -> str:
    """The SQL, repeated for each table it is to be repeated for; empty when none of them is there."""
    if query.each is None:
        return query.sql
    schemas = set(re.findall(r"(\w+)\.\{table\}", query.sql))
    tables = [
        table
        for table in load_tables().values()
        if (table.day or query.each == "table") and all(f"{schema}.{table.name}" in present for schema in schemas)
    ]
    return "\nUNION ALL\n".join(_filled(query.sql, table) for table in tables)


def _filled(sql: str, table: Table) -> str:
    key = ", ".join(f'"{name}"' for name in table.key)
    return sql.replace("{table}", table.name).replace("{key}", key).replace("{day}", _day(table))


def _day(table: Table) -> str:
    """SQL giving the UTC day of a row, whatever the time zone of the connection."""
    if not table.day:
        return "NULL"
    if table.column(table.day).sql_type == "DATE":
        return f'"{table.day}"'
    return f"CAST(\"{table.day}\" AT TIME ZONE 'UTC' AS DATE)"


def _run(
    con: duckdb.DuckDBPyConnection, where: str, sql: str, parameters: Mapping[str, object]
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Column names and rows of one statement; the database's own words are not shown, for they may hold values."""
    used = {name: value for name, value in parameters.items() if f"${name}" in sql}
    try:
        result = con.execute(sql, used)
        return [column[0] for column in result.description or []], result.fetchall()
    except (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException) as error:
        raise ConfigurationError(
            f"{where}: its SQL does not run ({type(error).__name__}: {str(error).splitlines()[0]})."
        ) from None
    except duckdb.Error as error:
        raise ConfigurationError(
            f"{where}: its SQL does not run on this warehouse ({type(error).__name__}); run it by hand to see why."
        ) from None
