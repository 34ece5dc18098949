"""Periods as ranges of days: what a state holds is added up, or looked for, in any range at the same small cost.

Every period is a run of days, so what fell into it is the running total at its end less that at its beginning. A year
of trailing windows then costs as much as a year of days, where a join of windows with days would cost 28 times that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

Whole = NDArray[np.int64]
_MOST_CELLS = 60_000_000
"""Cells of a table of members by days or periods held at once."""


@dataclass(frozen=True)
class Windows:
    """Ranges of days: `starts` and `ends` (exclusive) count from the first day of the data, `days` of them in all."""

    starts: Whole
    ends: Whole
    days: int

    @classmethod
    def of(cls, starts: pd.Series, ends: pd.Series, *, first: np.datetime64, days: int) -> Windows:
        """Ranges of dates, cut down to the days of the data."""
        begin, end = ((one.to_numpy().astype("datetime64[D]") - first).astype(np.int64) for one in (starts, ends))
        return cls(np.clip(begin, 0, days), np.clip(end, 0, days), days)

    def totals(self, row: Whole, day: Whole, amount: Whole, rows: int) -> Whole:
        """Amounts by row and window, shape (rows, windows), from entries (row, day, amount)."""
        held = np.zeros((rows, self.days + 1), dtype=np.int64)
        np.add.at(held, (row, day + 1), amount)
        np.cumsum(held, axis=1, out=held)
        return held[:, self.ends] - held[:, self.starts]

    def seen(self, row: Whole, day: Whole, rows: int) -> NDArray[np.bool_]:
        """Whether a row has any entry in a window, shape (rows, windows)."""
        held = np.zeros((rows, self.days + 1), dtype=np.int32)
        held[row, day + 1] = 1
        np.cumsum(held, axis=1, out=held)
        return np.asarray(held[:, self.ends] > held[:, self.starts])

    def count_seen(self, row: Whole, day: Whole) -> Whole:
        """How many different rows have an entry in each window, shape (windows,)."""
        found = np.zeros(len(self.starts), dtype=np.int64)
        for part, rows in self.blocks(row):
            found += self.seen(rows, day[part], int(rows.max()) + 1).sum(axis=0)
        return found

    def blocks(self, row: Whole) -> Iterator[tuple[NDArray[np.bool_] | slice, Whole]]:
        """Entries in blocks of rows few enough to be held at once: which entries, and their rows from 0 on."""
        if not row.size:
            return
        _, dense = np.unique(row, return_inverse=True)
        height = max(1, _MOST_CELLS // (self.days + len(self.starts) + 1))
        if int(dense.max()) < height:
            yield slice(None), dense
            return
        for begin in range(0, int(dense.max()) + 1, height):
            part = (dense >= begin) & (dense < begin + height)
            yield part, dense[part] - begin


def span_of(con: duckdb.DuckDBPyConnection, state: str) -> tuple[np.datetime64, int] | None:
    """First day of a state and how many days it runs over; None when it is empty."""
    ((first, last),) = con.execute(f"SELECT min(day)::VARCHAR, max(day)::VARCHAR FROM {state}").fetchall()
    if first is None:
        return None
    begin = np.datetime64(first, "D")
    return begin, int((np.datetime64(last, "D") - begin) / np.timedelta64(1, "D")) + 1


def numbered(state: str, column: str, name: str) -> str:
    """SQL of a table that gives each value of a column a number from 0 on, in order of the values."""
    values = f"SELECT DISTINCT {column} FROM {state} WHERE {column} IS NOT NULL"
    return f"(SELECT {column}, row_number() OVER (ORDER BY {column}) - 1 AS {name} FROM ({values}))"


def by_slice(
    con: duckdb.DuckDBPyConnection, state: str, dimensions: tuple[str, ...], *, first: np.datetime64, columns: str
) -> Iterator[tuple[str, str, dict[str, Whole]]]:
    """Entries of a state by slice: (dimension, value, columns of whole numbers), the total first.

    `columns` is SQL over the state, where `member_no` numbers its members; `day` counts from the first one.
    """
    joins = "".join(f" LEFT JOIN {numbered(state, name, f'no_{name}')} USING ({name})" for name in dimensions)
    codes = "".join(f", coalesce(no_{name}, -1) AS no_{name}" for name in dimensions)
    query = (
        f"SELECT day - DATE '{first}' AS day, {columns}{codes} FROM {state} "
        f"JOIN {numbered(state, 'member', 'member_no')} USING (member){joins}"
    )
    held = {name: np.asarray(column, dtype=np.int64) for name, column in con.execute(query).fetchnumpy().items()}
    yield "", "", held
    for dimension in dimensions:
        listed = con.execute(f"SELECT DISTINCT {dimension} FROM {state} WHERE {dimension} IS NOT NULL ORDER BY 1")
        values = [str(value) for (value,) in listed.fetchall()]
        of = held[f"no_{dimension}"]
        order = np.argsort(of, kind="stable")
        edges = np.searchsorted(of[order], np.arange(len(values) + 1))
        for place, value in enumerate(values):
            part = order[edges[place] : edges[place + 1]]
            yield dimension, value, {name: column[part] for name, column in held.items()}


def rolled_frame(parts: Iterator[tuple[str, str, dict[str, Whole]]], periods: pd.DataFrame) -> pd.DataFrame:
    """One row per slice and period in which anything was counted; a part has its counts per period, `n` among them."""
    import pandas as pd

    frames = [
        periods.assign(dimension=dimension, dimension_value=value, **counts)[counts["n"] > 0]
        for dimension, value, counts in parts
    ]
    if not frames:
        return periods.iloc[:0].assign(dimension="", dimension_value="", n=0)
    return pd.concat(frames, ignore_index=True)


def register(con: duckdb.DuckDBPyConnection, frame: pd.DataFrame) -> str:
    """Hand a frame to the database; returns SQL that reads it."""
    con.execute("DROP TABLE IF EXISTS worked_out")
    con.register("worked_out_frame", frame)
    con.execute("CREATE TEMP TABLE worked_out AS SELECT * FROM worked_out_frame")
    con.unregister("worked_out_frame")
    return "SELECT * FROM worked_out"
