"""State queries keep to SQL that means the same on any engine, since raw rows may live on another one."""

from __future__ import annotations

import pytest
import sqlglot
from engine_room import CATALOG
from sqlglot import expressions as sql

from pipeline.engine.leaves import leaves

PORTABLE = {
    "Sum", "Count", "Min", "Max", "ArgMin", "Cast", "Coalesce", "Case", "If", "Ceil", "Ln", "Grouping",
    "TimestampTrunc", "DateTrunc", "And", "Or", "Not", "Filter", "ArrayAgg",
}  # fmt: skip
"""Functions of SQL:2016 or of both DuckDB and Spark with one meaning (`min_by` is ArgMin to the parser)."""
TYPES = {"DECIMAL", "INT", "DOUBLE", "DATE", "BIGINT"}
LEAVES = [leaf for states in leaves(CATALOG).values() for leaf in states]


def functions(text: str) -> set[str]:
    """Names of the functions a query calls, with those the parser does not know by their own."""
    found = set()
    for node in sqlglot.parse_one(text, read="duckdb").find_all(sql.Func):
        found.add(node.name if isinstance(node, sql.Anonymous) else type(node).__name__)
    return found


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.table)
def test_a_state_query_is_portable(leaf: object) -> None:
    """Only WITH, SELECT, FROM one table or its own subquery, WHERE and GROUP BY, with portable functions and types."""
    text = leaf.sql  # type: ignore[attr-defined]
    tree = sqlglot.parse_one(text, read="duckdb")
    assert functions(text) <= PORTABLE
    assert {cast.to.this.name for cast in tree.find_all(sql.Cast)} <= TYPES
    named = {part.alias for part in tree.find_all(sql.CTE)}
    tables = {table.name for table in tree.find_all(sql.Table)}
    assert tables - named == {f"rows_{leaf.fact}"}  # type: ignore[attr-defined]
    assert not list(tree.find_all(sql.Join, sql.Window, sql.Order))


@pytest.mark.parametrize("text", ["SELECT approx_quantile(x, 0.5) FROM rows_a", "SELECT epoch_us(at) FROM rows_a"])
def test_what_only_one_engine_knows_is_noticed(text: str) -> None:
    """The check can fail: functions of one engine are not in the list."""
    assert not functions(text) <= PORTABLE
