"""Staging: the expressions of a mapping over `raw` become rows of one canonical table, every value still text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from pipeline.errors import ConfigurationError, Problem, in_file_order
from pipeline.sources import codes
from pipeline.sources.binding import expression_problem
from pipeline.sources.model import SourceMapping
from pipeline.sources.plan import LEFT_OUT, Plan
from pipeline.sources.sql import count, identifier, literal
from pipeline.tables import load_tables
from pipeline.warehouse.connection import parsed

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class Staged:
    """Rows staged, local times among them that occurred twice that day (the later one was taken), and rows left out."""

    rows: int
    ambiguous_times: int
    left_out: int = 0
    """Rows that `where` leaves out."""


def stage(con: DuckDBPyConnection, mapping: SourceMapping, table_name: str, *, staged: str) -> Staged:
    """Create the temporary table `staged` with _row (1..n in file order), _line, _version and every canonical column.

    All of them but _row and _line are VARCHAR: trimmed, blank is NULL, ids and texts in Unicode normal form C, persons
    as pseudonyms (by the connection's macro `pseudonym`), times as ISO 8601 in UTC to the microsecond. A value whose
    expression fails is NULL; a time that cannot be read is the text `not a time`, which the contract quarantines.
    Raises ConfigurationError naming the place in the YAML when an expression does not bind.
    """
    table = load_tables()[table_name]
    plan = Plan(mapping, table, mapping.tables[table_name])
    with explained(con, plan):
        if plan.counts_left_out:
            con.execute(f"CREATE OR REPLACE TEMP SEQUENCE {LEFT_OUT}")
        con.execute(parsed(f"CREATE OR REPLACE TEMP TABLE {identifier(staged)} AS {plan.sql()}"))
        rows = count(con, f"SELECT count(*) FROM {identifier(staged)}")
        return Staged(rows, ambiguous_times(con, plan), left_out(con, plan, rows))


def ambiguous_times(con: DuckDBPyConnection, plan: Plan) -> int:
    """How many local times of a plan occurred twice that day."""
    return count(con, plan.ambiguous_sql()) if plan.has_local_times else 0


def left_out(con: DuckDBPyConnection, plan: Plan, rows: int) -> int:
    """How many rows `where` leaves out, when it has just left so many.

    A second look at a relation that is made for the occasion would take as long as the first.
    """
    if plan.counts_left_out:
        return count(con, f"SELECT nextval('{LEFT_OUT}')") - 1
    return count(con, "SELECT count(*) FROM raw") - rows if plan.told.where else 0


@contextmanager
def explained(con: DuckDBPyConnection, plan: Plan) -> Iterator[None]:
    """Raises ConfigurationError naming the place in the YAML when a plan fails because of what the mapping says."""
    try:
        yield
    except (duckdb.IOException, duckdb.OutOfMemoryException, duckdb.InternalException, duckdb.InterruptException):
        raise
    except duckdb.Error as error:
        raise _explained(con, plan, error) from None


def _explained(con: DuckDBPyConnection, plan: Plan, error: duckdb.Error) -> ConfigurationError:
    """The failure of a plan as problems of its mapping in the order of its file, without any value of the file.

    What fails to bind is shown by the names in it, each expression of its own; what binds but fails on some record is
    not. Where `from` does not bind, nothing after it can.
    """
    table, mapping = plan.table.name, plan.mapping
    found: list[Problem] = []
    for part in plan.parts():
        try:
            con.execute(f"DESCRIBE {part.query}")
        except duckdb.Error as reason:
            found.append(expression_problem(mapping, table, part, reason))
            if part.name == "from":
                break
    if found:
        return _refusal(mapping, *in_file_order(found))
    kind = type(error).__name__.removesuffix("Exception")
    message = f"table {table}: from or where fails on some record ({kind}); use try_cast or try() there"
    return _refusal(mapping, Problem(mapping.where("tables", table), codes.FAILING_EXPRESSION, message))


def of_all_tables(mapping: SourceMapping, staged: Callable[[str], Staged]) -> dict[str, Staged]:
    """What `staged` finds of each table of a mapping; raises ConfigurationError with what is wrong in any of them."""
    found: dict[str, Staged] = {}
    wrong: list[Problem] = []
    for name in mapping.tables:
        try:
            found[name] = staged(name)
        except ConfigurationError as error:
            wrong.extend(error.problems)
    if wrong:
        raise _refusal(mapping, *in_file_order(wrong))
    return found


def _refusal(mapping: SourceMapping, *problems: Problem) -> ConfigurationError:
    return ConfigurationError(f"The mapping {literal(mapping.source)} does not fit the file.", problems)
