"""Sets of members as bits: who was seen on a day, and how many different ones in any run of days.

Members are numbered once; a set is a string of bits, one per number. Sets merge by "or", so nobody counts twice however
the days of a period, or its cells, are put together, and a period costs two of them: the run of days of a power of two
that begins with it and the one that ends with it (Bender & Farach-Colton 2000, The LCA Problem Revisited, section 3).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

import duckdb
import numpy as np
from numpy.typing import NDArray

from pipeline.catalog.expressions import Measure
from pipeline.engine.windows import Whole, span_of

if TYPE_CHECKING:
    import pandas as pd

_SET = re.compile(r"array_agg\(DISTINCT (\w+)\)")
_WORD_BITS = 64
_OWN_NUMBERS = 1 << 20
"""Members that are whole numbers below this are their own numbers."""


def set_sql(measure: Measure) -> str:
    """Portable SQL of the members a distinct count counts."""
    where = f" filter (where {measure.predicate})" if measure.predicate else ""
    return f"array_agg(DISTINCT {measure.column}){where}"


def numbered_columns(sql: str) -> list[str]:
    """Columns whose values a state query collects into sets."""
    return list(dict.fromkeys(_SET.findall(sql)))


def packed(con: duckdb.DuckDBPyConnection, sql: str, *, fact: str) -> str:
    """A state query whose sets are strings of bits, of equal length on every day that is built together."""
    joins = ""
    for column in numbered_columns(sql):
        no, table = f"no_{column}", f"states.numbers_{fact}_{column}"
        if _count_themselves(con, fact, column):
            no = column
        else:
            _number(con, table, fact, column)
            joins += f" LEFT JOIN {table} USING ({column})"
        ((greatest,),) = con.execute(f"SELECT coalesce(max({no}), 0) FROM rows_{fact}{joins}").fetchall()
        bits = (int(greatest) // _WORD_BITS + 1) * _WORD_BITS - 1
        sql = sql.replace(f"array_agg(DISTINCT {column})", f"bitstring_agg({no}, 0, {bits})")
    return sql.replace(f"FROM rows_{fact} ", f"FROM rows_{fact}{joins} ")


def begin_numbers(con: duckdb.DuckDBPyConnection, sql: str, *, fact: str) -> None:
    """Forget the numbers of a fact that is built anew; small whole numbers are their own, and have an empty table."""
    for column in numbered_columns(sql):
        con.execute(
            f"CREATE OR REPLACE TABLE states.numbers_{fact}_{column} AS "
            f"SELECT {column}, 0::INTEGER AS no_{column} FROM rows_{fact} LIMIT 0"
        )
        if not _are_small(con, fact, column):
            _number(con, f"states.numbers_{fact}_{column}", fact, column)


def outgrown(con: duckdb.DuckDBPyConnection, sql: str, *, fact: str) -> bool:
    """Whether members that were their own numbers no longer can be."""
    return any(
        _count_themselves(con, fact, column) and not _are_small(con, fact, column) for column in numbered_columns(sql)
    )


def _count_themselves(con: duckdb.DuckDBPyConnection, fact: str, column: str) -> bool:
    table = f"states.numbers_{fact}_{column}"
    ((kind, held),) = con.execute(f"SELECT typeof(any_value({column})), count(*) FROM {table}").fetchall()
    return kind in ("INTEGER", "BIGINT") and held == 0


def _are_small(con: duckdb.DuckDBPyConnection, fact: str, column: str) -> bool:
    ((kind, least, greatest),) = con.execute(
        f"SELECT typeof(any_value({column})), min({column})::VARCHAR, max({column})::VARCHAR FROM rows_{fact}"
    ).fetchall()
    return kind in ("INTEGER", "BIGINT") and int(least or 0) >= 0 and int(greatest or 0) < _OWN_NUMBERS


def _number(con: duckdb.DuckDBPyConnection, table: str, fact: str, column: str) -> None:
    """Number the members who have no number yet."""
    seen = f"SELECT DISTINCT {column} FROM rows_{fact} WHERE {column} IS NOT NULL"
    number = f"(SELECT count(*) FROM {table}) - 1 + row_number() OVER (ORDER BY {column})"
    con.execute(f"INSERT INTO {table} SELECT {column}, {number} FROM ({seen} EXCEPT SELECT {column} FROM {table})")


def count_sets(
    con: duckdb.DuckDBPyConnection,
    state: str,
    columns: dict[str, str],
    dimensions: tuple[str, ...],
    periods: pd.DataFrame,
) -> Iterator[tuple[str, str, dict[str, Whole]]]:
    """(dimension, value, counts): how many different members each column of sets has in each period, by name."""
    span = span_of(con, state, periods)
    if span is None:
        return
    windows = span.windows(periods)
    held = ", ".join(f"{column}::BLOB AS {name}" for name, column in columns.items())
    for dimension in ("", *dimensions):
        rows = con.execute(
            f"SELECT dimension_value AS value, day - DATE '{span.first}' AS place, {held} FROM {state} "
            f"WHERE dimension = $1 AND dimension_value IS NOT NULL AND {span.condition} ORDER BY value, place",
            [dimension],
        ).fetchall()
        for one, of in groupby(rows, key=itemgetter(0)):
            _, days, *sets = zip(*of, strict=True)
            counts = (windows.count_bits(_bits(days, column, span.days)) for column in sets)
            yield dimension, str(one), dict(zip(columns, counts, strict=True))


def _bits(days: Sequence[int], sets: Sequence[bytes | None], height: int) -> NDArray[np.uint64]:
    """Sets by day, shape (days, words)."""
    width = max((len(one) for one in sets if one), default=_WORD_BITS // 8)
    held = np.zeros((height, width), dtype=np.uint8)
    for day, one in zip(days, sets, strict=True):
        if one:
            held[day, : len(one)] = np.frombuffer(one, dtype=np.uint8)
    return held.view(np.uint64)
