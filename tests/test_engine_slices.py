"""Slices that are made from groups of two dimensions are those that are made from the rows."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from pipeline.engine.kinds.base import each_slice, merged_slices

NAMES = ("a", "b", "c", "d")


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """Rows on three days in slices of four dimensions, some of none."""
    con = duckdb.connect()
    columns = ", ".join(f"nullif(hash(i, '{name}') % 4, 0)::VARCHAR AS {name}" for name in NAMES)
    con.execute(
        f"CREATE TABLE rows AS SELECT DATE '2026-03-01' + (i % 3)::INTEGER AS day, {columns}, "
        "(hash(i, 'bucket') % 7)::INTEGER AS bucket FROM range(900) AS r(i)"
    )
    yield con
    con.close()


@pytest.mark.parametrize("many", range(5))
def test_they_are_those_of_the_rows(con: duckdb.DuckDBPyConnection, many: int) -> None:
    """With no dimension, one, an odd and an even number: the same groups, as often, and none twice."""

    def finest(keys: str) -> str:
        return f"SELECT {keys}, bucket, count(*) AS events FROM rows GROUP BY {keys}, bucket"

    def plainly(keys: str, told: str) -> str:
        return f"SELECT {told}, bucket, count(*) AS events FROM rows GROUP BY {keys}, bucket"

    merged = merged_slices(NAMES[:many], finest, by="bucket", merged="CAST(sum(events) AS BIGINT) AS events")
    found, expected = (
        con.execute(f"FROM ({sql}) ORDER BY ALL").fetchall() for sql in (merged, each_slice(NAMES[:many], plainly))
    )
    assert found == expected
    assert {dimension for _, dimension, *_ in found} == {"", *NAMES[:many]}
    assert sum(events for _, dimension, *_, events in found if not dimension) == 900


def test_rows_are_read_half_as_often(con: duckdb.DuckDBPyConnection) -> None:
    """Four dimensions and the total take two readings."""
    sql = merged_slices(NAMES, lambda keys: f"SELECT {keys}, 1 AS one FROM rows", by="one", merged="count(*) AS n")
    assert sql.count("FROM rows") == 2
