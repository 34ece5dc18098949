"""Whether the SQL of a mapping binds to the columns it declares, found out without any file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb

from pipeline.catalog.wording import near, quoted
from pipeline.errors import Problem, in_file_order
from pipeline.sources import codes
from pipeline.sources.mapping import examine_mappings
from pipeline.sources.model import SourceMapping
from pipeline.sources.plan import Part, Plan
from pipeline.sources.shapes import raw_names
from pipeline.sources.sql import identifier
from pipeline.tables import load_tables
from pipeline.warehouse.pseudonym import define_pseudonym

_COLUMN = re.compile(r'Referenced column "([^"]+)" not found|does not have a column named "([^"]+)"')
_FUNCTION = re.compile(r"Function with name \"?([^\s\"]+)\"? does not exist")
_MEANT = re.compile(r'Did you mean "([^"]+)"')
_QUOTED = re.compile(r'"([^"]+)"')


def examine_bound(directories: Sequence[Path]) -> tuple[tuple[SourceMapping, ...], tuple[Problem, ...]]:
    """The mappings that could be read, and every problem of every file, of what they say and of their SQL."""
    mappings, wrong = examine_mappings(directories)
    return mappings, in_file_order([*wrong, *bind_problems(mappings)])


def bind_problems(mappings: Sequence[SourceMapping]) -> list[Problem]:
    """Every expression of the mappings that cannot bind to an empty relation of the declared columns.

    The connection is its own, in memory, and can neither read files nor see other tables.
    """
    with duckdb.connect(config={"enable_external_access": False, "threads": 1}) as con:
        define_pseudonym(con, b"")
        formats = (one for mapping in mappings for one in mapping.formats())
        return list(in_file_order(dict.fromkeys(problem for one in formats for problem in _of_mapping(con, one))))


def expression_problem(mapping: SourceMapping, table: str, part: Part, error: duckdb.Error) -> Problem:
    """Why one expression does not bind, by the names in it, at its place in the YAML."""
    where = mapping.where("tables", table, *part.key)
    expression = mapping.tables[table].columns.get(part.key[-1], "") if part.key else ""
    said = _words(mapping, error)
    if isinstance(error, duckdb.ParserException) and expression in mapping.known:
        said = (
            f"found {quoted(expression)}, which SQL takes for a word of its own, expected the column in double quotes: "
        )
        said += f"'{identifier(expression)}'"
    return Problem(where, codes.BAD_EXPRESSION, f"table {table}, {part.name}: {said}")


def _of_mapping(con: duckdb.DuckDBPyConnection, mapping: SourceMapping) -> Iterator[Problem]:
    """The problems of one mapping; tables that do not exist are somebody else's finding."""
    known = {name: told for name, told in mapping.tables.items() if name in load_tables()}
    if not known:
        return
    _create_raw(con, mapping)
    for name, told in known.items():
        yield from _of_table(con, Plan(mapping, load_tables()[name], told))


def _of_table(con: duckdb.DuckDBPyConnection, plan: Plan) -> Iterator[Problem]:
    """The whole is bound at once; its parts are looked at one by one only when it does not bind."""
    whole = _failure(con, plan.mapping, plan.raw_sql())
    if whole is None:
        return
    is_told = False
    for part in plan.parts():
        error = _failure(con, plan.mapping, part.query)
        if error is not None:
            is_told = True
            yield expression_problem(plan.mapping, plan.table.name, part, error)
            if part.name == "from":
                return
    if not is_told:
        yield expression_problem(plan.mapping, plan.table.name, Part("all columns together", (), ""), whole)


def _create_raw(con: duckdb.DuckDBPyConnection, mapping: SourceMapping, more: Sequence[str] = ()) -> None:
    """An empty `raw` as the reader would make it; columns with types of their own are untyped."""
    cast = "::VARCHAR" if mapping.is_text else ""
    columns = "".join(f", NULL{cast} AS {identifier(name)}" for name in raw_names([*mapping.known, *more]))
    record = ", NULL::JSON AS record" if mapping.reader in {"json", "jsonl"} else ""
    record += ", NULL::JSON AS whole_document" if mapping.reader == "json" else ""
    con.execute(
        f"CREATE OR REPLACE TEMP VIEW raw AS SELECT 1::BIGINT AS line{record}{columns}, "
        "''::VARCHAR AS file_stem, ''::VARCHAR AS file_name"
    )


def _failure(con: duckdb.DuckDBPyConnection, mapping: SourceMapping, query: str) -> duckdb.Error | None:
    """Why a query does not bind, None when it does or when only a file could tell.

    A mapping of CSV or Parquet files that lists `*` may name columns it does not declare: they are added to `raw`, so
    that the rest of the expression is judged. JSON readers make columns of declared keys alone.
    """
    added: list[str] = []
    while (error := _error(con, query)) is not None:
        missing = _missing_column(error)
        if not missing or missing in added or not (mapping.takes_any and mapping.reader in {"csv", "parquet"}):
            break
        added.append(missing)
        _create_raw(con, mapping, added)
    if added:
        _create_raw(con, mapping)
    return error if error is None or mapping.is_text or _is_about_names(error) else None


def _error(con: duckdb.DuckDBPyConnection, query: str) -> duckdb.Error | None:
    try:
        con.execute(f"DESCRIBE {query}")
    except duckdb.Error as error:
        return error
    return None


def _is_about_names(error: duckdb.Error) -> bool:
    """Syntax and unknown names are wrong whatever the types of a Parquet file turn out to be."""
    return isinstance(error, duckdb.ParserException | duckdb.CatalogException) or bool(_missing_column(error))


def _missing_column(error: duckdb.Error) -> str:
    found = _COLUMN.search(str(error))
    return (found[1] or found[2]) if found else ""


def _words(mapping: SourceMapping, error: duckdb.Error) -> str:
    """What was found and what was expected; DuckDB's own words where there are no better ones, for they hold names."""
    if column := _missing_column(error):
        candidates = _QUOTED.findall(str(error).partition("Candidate bindings:")[2].partition("\n")[0])
        by_lower = {name.lower(): name for name in (*raw_names(mapping.known), *candidates)}
        match = near(column, by_lower)
        meant = f", did you mean {by_lower[match]}?" if match else ""
        return f"found the unknown column {quoted(column)}, expected one of `required` or `optional`{meant}"
    text = str(error).strip()
    if function := _FUNCTION.search(text):
        like = _MEANT.search(text)
        meant = f", did you mean {like[1]}?" if like else ""
        return f"found the unknown function {quoted(function[1])}, expected one of DuckDB's{meant}"
    return text.splitlines()[0]
