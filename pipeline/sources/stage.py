"""Staging: the expressions of a mapping over `raw` become rows of one canonical table, every value still text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from pipeline.errors import ConfigurationError, Problem
from pipeline.sources import codes
from pipeline.sources.binding import expression_problem
from pipeline.sources.model import SourceMapping
from pipeline.sources.plan import Plan
from pipeline.sources.sql import count, identifier, literal
from pipeline.tables import load_tables
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
    plan = Plan(mapping, table, mapping.tables[table_name])
    with explained(con, plan):
        con.execute(parsed(f"CREATE OR REPLACE TEMP TABLE {identifier(staged)} AS {plan.sql()}"))
        ambiguous = ambiguous_times(con, plan)
    return Staged(count(con, f"SELECT count(*) FROM {identifier(staged)}"), ambiguous)


def ambiguous_times(con: DuckDBPyConnection, plan: Plan) -> int:
    """How many local times of a plan occurred twice that day."""
    return count(con, plan.ambiguous_sql()) if plan.has_local_times else 0


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
    """The failure of a plan as a problem of its mapping, without any value of the file.

    What fails to bind is shown by the names in it; what binds but fails on some record is not.
    """
    table, mapping = plan.table.name, plan.mapping
    for part in plan.parts():
        try:
            con.execute(f"DESCRIBE {part.query}")
        except duckdb.Error as reason:
            return _refusal(mapping, expression_problem(mapping, table, part, reason))
    kind = type(error).__name__.removesuffix("Exception")
    message = f"table {table}: from or where fails on some record ({kind}); use try_cast or try() there"
    return _refusal(mapping, Problem(mapping.where("tables", table), codes.FAILING_EXPRESSION, message))


def _refusal(mapping: SourceMapping, problem: Problem) -> ConfigurationError:
    return ConfigurationError(f"The mapping {literal(mapping.source)} does not fit the file.", [problem])
